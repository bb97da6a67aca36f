#include "decode/schedule-identity.h"
#include "decode/schedule-wakes.h"

enum {
	TYPE_CALL = 2, /* ETMv4 exception types */
	TYPE_TRAP = 3,
	TYPE_INST_FAULT = 11, /* from here on: the vCPU had more to do */
	WORD_BYTES = 4
};

/* What one domain's vCPUs are called in the recording. */
struct domain {
	gint64 vmid;
	struct identity_summary summary;
	gboolean has_unknown;
	guint first_vcpu; /* index of its number 0 */
};

struct maker {
	struct schedule *out;
	const struct exit_list *list;
	const struct schedule_given *given;
	struct identity *identities; /* one a piece */
	GArray *domains;             /* struct domain, by VMID */
	gint64 origin_ns, window_ns;
	GHashTable *function_index; /* name -> the row's number + 1 */
};

static const struct guest_piece *piece_at(const struct maker *self, gint i)
{
	return &g_array_index(self->list->pieces, struct guest_piece, (guint)i);
}

static const struct hypervisor_visit *visit_at(const struct maker *self, gint i)
{
	return &g_array_index(self->list->visits, struct hypervisor_visit, (guint)i);
}

static gint compare_domains(gconstpointer a, gconstpointer b)
{
	const struct domain *x = a, *y = b;

	return x->vmid < y->vmid ? -1 : x->vmid > y->vmid;
}

static void find_domains(struct maker *self)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

	for (guint i = 0; i < self->list->pieces->len; i++) {
		struct domain domain = { .vmid = piece_at(self, (gint)i)->vmid };

		if (g_hash_table_add(seen, GUINT_TO_POINTER((guint)domain.vmid)))
			g_array_append_val(self->domains, domain);
	}
	g_array_sort(self->domains, compare_domains);
}

static void tell_apart(struct maker *self)
{
	g_autofree gint *marked = schedule_marked(self->given, self->list);

	for (guint i = 0; i < self->domains->len; i++) {
		struct domain *domain = &g_array_index(self->domains, struct domain, i);

		schedule_tell_apart(self->given, self->list, marked, domain->vmid, self->identities,
		                    &domain->summary);
	}
}

static struct domain *domain_of(const struct maker *self, gint64 vmid)
{
	const struct domain key = { .vmid = vmid };
	guint i = 0;

	g_array_binary_search(self->domains, &key, compare_domains, &i);
	return &g_array_index(self->domains, struct domain, i);
}

static void make_vcpus(struct maker *self)
{
	for (guint i = 0; i < self->list->pieces->len; i++) {
		if (self->identities[i].number == IDENTITY_NO_NUMBER)
			domain_of(self, piece_at(self, (gint)i)->vmid)->has_unknown = TRUE;
	}
	for (guint i = 0; i < self->domains->len; i++) {
		struct domain *domain = &g_array_index(self->domains, struct domain, i);
		const guint n = domain->summary.n_vcpus + (domain->has_unknown ? 1 : 0);

		domain->first_vcpu = self->out->vcpus->len;
		for (guint number = 0; number < n; number++) {
			const gboolean known = number < domain->summary.n_vcpus;
			const struct row_vcpu row = {
				.vcpu = self->out->vcpus->len,
				.vmid = domain->vmid,
				.number = known ? (gint)number : OWNER_NO_VALUE,
				.numbered = known && number < 32 &&
				            (domain->summary.numbered >> number & 1) != 0,
			};

			g_array_append_val(self->out->vcpus, row);
		}
	}
}

static guint vcpu_of(const struct maker *self, gint piece)
{
	const struct domain *domain = domain_of(self, piece_at(self, piece)->vmid);
	const gint number = self->identities[piece].number;

	return domain->first_vcpu +
	       (number == IDENTITY_NO_NUMBER ? domain->summary.n_vcpus : (guint)number);
}

/* What the vCPU was in once it had left the core. */
static enum run_state state_after(const struct guest_piece *piece)
{
	if (!piece->left || piece->type == OWNER_NO_VALUE)
		return RUN_UNKNOWN;
	return piece->type >= TYPE_INST_FAULT ? RUN_RUNNABLE : RUN_BLOCKED;
}

static enum exit_end end_of(const struct maker *self, const struct hypervisor_visit *visit)
{
	const struct guest_piece *from = piece_at(self, visit->from);

	if (visit->to == PIECE_NONE)
		return EXIT_ENDED_LOST;
	/* One that was interrupted has more to do: halted time is then no idle time of the
	 * core's scheduler (an emulator's other cores had their turn). */
	if (visit->idle_ns > 0 && state_after(from) == RUN_BLOCKED)
		return EXIT_ENDED_IDLE;
	if (piece_at(self, visit->from)->vmid == piece_at(self, visit->to)->vmid &&
	    self->identities[visit->to].same >= 0.5)
		return EXIT_ENDED_SAME;
	return EXIT_ENDED_OTHER;
}

/* How sure the answer to "the same vCPU?" is. */
static void judge_end(const struct maker *self, const struct hypervisor_visit *visit,
                      struct row_exit *row)
{
	const struct identity *from = &self->identities[visit->from], *to;

	if (visit->to == PIECE_NONE)
		return;
	to = &self->identities[visit->to];
	row->known = KNOWN_INFERRED;
	row->confidence = MAX(to->same, 1 - to->same);
	if (piece_at(self, visit->from)->vmid != piece_at(self, visit->to)->vmid ||
	    (from->known == KNOWN_EXACT && to->known == KNOWN_EXACT)) {
		row->known = KNOWN_EXACT;
		row->confidence = 1;
	}
}

/* The instruction of the guest that an exit was for: an executed call returns behind itself,
 * what was trapped returns to itself. */
static enum exit_instruction instruction_of(const struct maker *self,
                                            const struct guest_piece *piece)
{
	const guint64 back = piece->type == TYPE_CALL ? WORD_BYTES : 0;
	guint32 word;

	if (!piece->left || !piece->has_return_address ||
	    (piece->type != TYPE_CALL && piece->type != TYPE_TRAP) ||
	    !hypervisor_image_guest_word(self->given->image, piece->vmid,
	                                 piece->return_address_va - back, &word))
		return INSTRUCTION_UNKNOWN;
	return exit_instruction_of(word);
}

/* The row's number of one of the image's functions. */
static guint function_of(const struct maker *self, guint function)
{
	static const char *const roles[] = { NULL,     "handler", "interrupt", "wake",
		                             "notify", "inject",  "switch" };
	const struct hypervisor_function *known =
		hypervisor_image_function(self->given->image, function);
	const struct row_function row = { self->out->functions->len, known->name,
		                          roles[known->role] };
	const guint found =
		GPOINTER_TO_UINT(g_hash_table_lookup(self->function_index, known->name));

	if (found > 0)
		return found - 1;
	g_array_append_val(self->out->functions, row);
	g_hash_table_insert(self->function_index, (gpointer)known->name,
	                    GUINT_TO_POINTER(row.function + 1));
	return row.function;
}

/* What the hypervisor went through on the visit; the first handler is the exit's. Interrupts
 * say what an exit was for only where it was one. */
static void add_calls(const struct maker *self, const struct hypervisor_visit *visit,
                      struct row_exit *row)
{
	const enum function_role role =
		row->reason == EXIT_IRQ || row->reason == EXIT_FIQ ? ROLE_INTERRUPT : ROLE_HANDLER;

	for (guint i = 0; i < visit->n_calls; i++) {
		const struct visit_call *call =
			&g_array_index(self->list->calls, struct visit_call, visit->first_call + i);
		const struct row_hypervisor_call added = {
			.core = visit->core,
			.time_ns = CLAMP(call->time_ns - self->origin_ns, 0, self->window_ns),
			.function = function_of(self, call->function),
			.vcpu = row->vcpu,
		};

		if (row->handler == 0 &&
		    hypervisor_image_function(self->given->image, call->function)->role == role)
			row->handler = added.function + 1;
		g_array_append_val(self->out->calls, added);
	}
}

static void make_exit(const struct maker *self, const struct hypervisor_visit *visit)
{
	const struct guest_piece *from = piece_at(self, visit->from);
	struct row_exit row = {
		.core = visit->core,
		.start_ns = visit->begin_ns - self->origin_ns,
		.duration_ns = visit->end_ns - visit->begin_ns,
		.hypervisor_ns = visit->hypervisor_ns,
		.idle_ns = visit->idle_ns,
		.idle_hypervisor_ns = visit->idle_hypervisor_ns,
		.cycles = visit->cycles,
		.type = from->type,
		.has_return_address = from->has_return_address,
		.return_address_va = from->return_address_va,
		.vcpu = vcpu_of(self, visit->from),
		.next_vcpu = OWNER_NO_VALUE,
		.ended = end_of(self, visit),
		.wake_ns = visit->wake_ns,
		.injection_ns = visit->injection_ns,
		.censored = visit->to == PIECE_NONE,
		.trace_offset = visit->trace_offset,
	};

	if (visit->to != PIECE_NONE) {
		const struct guest_piece *to = piece_at(self, visit->to);

		row.next_vcpu = (gint)vcpu_of(self, visit->to);
		row.has_resume_address = to->has_address;
		row.resume_address_va = to->entry_address_va;
	}
	row.instruction = instruction_of(self, from);
	row.reason = exit_reason_of(from->type, row.instruction,
	                            row.ended == EXIT_ENDED_OTHER || row.ended == EXIT_ENDED_IDLE);
	add_calls(self, visit, &row);
	judge_end(self, visit, &row);
	g_array_append_val(self->out->exits, row);
}

/* A run as it is put together, with the exit that ended it. */
struct open_run {
	struct row_vcpu_run row;
	enum run_state after;
};

static void run_add_piece(const struct maker *self, struct open_run *run, gint at)
{
	const struct guest_piece *piece = piece_at(self, at);
	const struct identity *identity = &self->identities[at];

	run->row.duration_ns = piece->end_ns - self->origin_ns - run->row.start_ns;
	run->row.guest_ns += piece->guest_ns;
	run->row.cycles += piece->cycles;
	run->row.known = MIN(run->row.known, identity->known);
	run->row.confidence = MIN(run->row.confidence, identity->confidence);
	run->after = state_after(piece);
}

/* Pieces of one vCPU on one core with visits between that came straight back. */
static GArray *make_runs(const struct maker *self)
{
	GArray *runs = g_array_new(FALSE, TRUE, sizeof(struct open_run));
	gboolean goes_on = FALSE;

	for (guint i = 0; i < self->list->pieces->len; i++) {
		const struct guest_piece *piece = piece_at(self, (gint)i);
		const struct hypervisor_visit *visit =
			piece->left ? visit_at(self, piece->visit) : NULL;
		struct open_run *run;

		if (!goes_on) {
			const struct open_run begun = { .row = { .vcpu = vcpu_of(self, (gint)i),
				                                 .start_ns = piece->begin_ns -
				                                             self->origin_ns,
				                                 .core = (gint)piece->core,
				                                 .state = RUN_RUNNING,
				                                 .known = KNOWN_EXACT,
				                                 .confidence = 1 } };

			g_array_append_val(runs, begun);
		}
		run = &g_array_index(runs, struct open_run, runs->len - 1);
		run_add_piece(self, run, (gint)i);
		goes_on = visit != NULL && end_of(self, visit) == EXIT_ENDED_SAME &&
		          vcpu_of(self, visit->to) == run->row.vcpu;
		if (goes_on) {
			run->row.hypervisor_ns += visit->hypervisor_ns;
			run->row.exits++;
		}
	}
	return runs;
}

static gint compare_runs(gconstpointer a, gconstpointer b)
{
	const struct open_run *x = a, *y = b;

	if (x->row.vcpu != y->row.vcpu)
		return x->row.vcpu < y->row.vcpu ? -1 : 1;
	if (x->row.start_ns != y->row.start_ns)
		return x->row.start_ns < y->row.start_ns ? -1 : 1;
	return x->row.core - y->row.core;
}

/* The time between two runs, or before the first and after the last (then NULL). */
static void add_between(const struct maker *self, const struct open_run *before,
                        const struct open_run *after)
{
	const struct row_vcpu_run *any = before != NULL ? &before->row : &after->row;
	const gint64 begin_ns = before != NULL ? before->row.start_ns + before->row.duration_ns : 0;
	const gint64 end_ns = after != NULL ? after->row.start_ns : self->window_ns;
	const struct row_vcpu_run row = {
		.vcpu = any->vcpu,
		.start_ns = begin_ns,
		.duration_ns = end_ns - begin_ns,
		.core = OWNER_NO_VALUE,
		.state = before != NULL && after != NULL ? before->after : RUN_UNKNOWN,
		.known = MIN(any->known, after != NULL ? after->row.known : any->known),
		.confidence = MIN(any->confidence,
		                  after != NULL ? after->row.confidence : any->confidence),
	};
	const struct row_vcpu *vcpu = &g_array_index(self->out->vcpus, struct row_vcpu, any->vcpu);

	if (end_ns > begin_ns && vcpu->number != OWNER_NO_VALUE)
		g_array_append_val(self->out->runs, row);
}

static void add_runs(const struct maker *self)
{
	g_autoptr(GArray) runs = make_runs(self);

	g_array_sort(runs, compare_runs);
	for (guint i = 0; i < runs->len; i++) {
		const struct open_run *run = &g_array_index(runs, struct open_run, i);
		const struct open_run *next = i + 1 < runs->len ? run + 1 : NULL;

		if (i == 0 || run[-1].row.vcpu != run->row.vcpu)
			add_between(self, NULL, run);
		g_array_append_val(self->out->runs, run->row);
		add_between(self, run,
		            next != NULL && next->row.vcpu == run->row.vcpu ? next : NULL);
	}
}

void schedule_init(struct schedule *self, const struct exit_list *list,
                   const struct schedule_given *given, gint64 origin_ns, gint64 window_ns)
{
	g_autofree struct identity *identities = g_new0(struct identity, list->pieces->len);
	g_autoptr(GArray) domains = g_array_new(FALSE, TRUE, sizeof(struct domain));
	struct maker maker = { self, list, given, identities, domains, origin_ns, window_ns };

	self->vcpus = g_array_new(FALSE, FALSE, sizeof(struct row_vcpu));
	self->runs = g_array_new(FALSE, FALSE, sizeof(struct row_vcpu_run));
	self->exits = g_array_new(FALSE, FALSE, sizeof(struct row_exit));
	self->functions = g_array_new(FALSE, FALSE, sizeof(struct row_function));
	self->calls = g_array_new(FALSE, FALSE, sizeof(struct row_hypervisor_call));
	find_domains(&maker);
	tell_apart(&maker);
	make_vcpus(&maker);
	maker.function_index = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < list->visits->len; i++)
		make_exit(&maker, visit_at(&maker, (gint)i));
	add_runs(&maker);
	schedule_split_waits(self);
	g_hash_table_unref(maker.function_index);
}

void schedule_deinit(struct schedule *self)
{
	g_array_unref(self->vcpus);
	g_array_unref(self->runs);
	g_array_unref(self->exits);
	g_array_unref(self->functions);
	g_array_unref(self->calls);
}
