#include "gui/debug/session.h"

#include "awareness/target/target-tap.h"
#include "debugger/target-coresight.h"

#include <glib/gi18n.h>
#include <string.h>

enum {
	WATCH_MS = 50,       /* how often the window looks at what the worker does */
	RUN_SECONDS = 86400, /* until somebody halts it */
};

/* One connection and its thread. The thread owns `debug` and what hangs on it; `session`
 * is the main thread's, NULL once nobody wants its answers any more. */
struct connection {
	gatomicrefcount references;
	HvsSession *session;
	char *spec;
	char *system_path;
	struct target_tap_control control;
	struct debug debug;
	guint next_machine;      /* whose tasks are read next, when nothing else is asked */
	gboolean stale;          /* what was read last was cut short */
	struct scene_stop *stop; /* of the command that runs */

	GMutex lock; /* for what follows */
	GCond asked;
	GQueue jobs; /* struct job * */
	gboolean leave;
	const char *doing; /* static, or of a question; NULL: nothing */
};

/* A question on its way there and back. */
struct job {
	struct connection *connection;
	const struct session_question *question;
	gpointer argument;
	session_answered_fn answered;
	GWeakRef owner;
	gpointer owner_key; /* for comparing only */
	gpointer answer;
	GError *error;
	gboolean cancelled, lost;
};

/* What the worker tells without being asked. */
struct news {
	struct connection *connection;
	gboolean opened;
	unsigned capabilities;
	struct scene_system *scene; /* NULL: none */
	gboolean more;              /* of the same stop: tasks that were not read before */
	struct scene_stop *stop;    /* NULL: none */
	char *failed;               /* the connection could not be made */
	gboolean lost;
};

struct _HvsSession {
	GObject parent_instance;
	struct connection *connection; /* NULL: none */
	enum session_state state;
	unsigned capabilities;
	char *spec;
	char *system_path;
	struct scene_system *scene, *before;
	struct scene_stop *stop;
	guint serial;
	struct selection selection;
	guint watch; /* source */
	const char *doing;
	guint reads, kilobytes;
};

G_DEFINE_TYPE(HvsSession, hvs_session, G_TYPE_OBJECT)

enum {
	SIGNAL_STATE,
	SIGNAL_SCENE,
	SIGNAL_STOPPED,
	SIGNAL_SELECTED,
	SIGNAL_BUSY,
	SIGNAL_SAID,
	SIGNALS
};

static guint signals[SIGNALS];

static void connection_unref(struct connection *self)
{
	if (!g_atomic_ref_count_dec(&self->references))
		return;
	g_mutex_clear(&self->lock);
	g_cond_clear(&self->asked);
	g_free(self->spec);
	g_free(self->system_path);
	g_free(self);
}

static struct connection *connection_ref(struct connection *self)
{
	g_atomic_ref_count_inc(&self->references);
	return self;
}

static void job_free(gpointer data)
{
	struct job *self = data;

	if (self->question->free_argument != NULL && self->argument != NULL)
		self->question->free_argument(self->argument);
	if (self->question->free_answer != NULL && self->answer != NULL)
		self->question->free_answer(self->answer);
	g_weak_ref_clear(&self->owner);
	g_clear_error(&self->error);
	connection_unref(self->connection);
	g_free(self);
}

static void set_state(HvsSession *self, enum session_state state)
{
	if (self->state == state)
		return;
	self->state = state;
	g_signal_emit(self, signals[SIGNAL_STATE], 0);
}

static void say(HvsSession *self, gboolean wrong, const char *text)
{
	g_signal_emit(self, signals[SIGNAL_SAID], 0, wrong, text);
}

/* Nothing comes from the connection any more; its thread ends when it can. */
static void drop_connection(HvsSession *self)
{
	struct connection *connection = g_steal_pointer(&self->connection);

	if (connection == NULL)
		return;
	connection->session = NULL;
	g_atomic_int_set(&connection->control.cancel, 1);
	g_atomic_int_set(&connection->control.halt, 1);
	g_mutex_lock(&connection->lock);
	connection->leave = TRUE;
	g_cond_signal(&connection->asked);
	g_mutex_unlock(&connection->lock);
	connection_unref(connection);
}

static void lose(HvsSession *self)
{
	drop_connection(self);
	set_state(self, SESSION_LOST);
	say(self, TRUE,
	    _("The connection to the target is lost. What was seen last stays; connect again to "
	      "go on."));
}

static gboolean deliver_answer(gpointer data)
{
	struct job *job = data;
	HvsSession *session = job->connection->session;
	g_autoptr(GObject) owner = g_weak_ref_get(&job->owner);

	if (session == NULL)
		return G_SOURCE_REMOVE;
	if (owner != NULL && job->answered != NULL && !job->lost)
		job->answered(owner, job->answer, job->error);
	else if (job->answered == NULL && job->error != NULL && !job->cancelled && !job->lost)
		say(session, TRUE, job->error->message);
	if (job->lost && job->connection->session != NULL)
		lose(session);
	else if (job->cancelled && job->connection->session != NULL)
		say(session, FALSE, _("Cancelled."));
	return G_SOURCE_REMOVE;
}

/* The machine that says most about where the system stands: a guest on a core. */
static struct selection first_selection(const struct scene_system *scene)
{
	struct selection selection = { .machine = -1, .vcpu = -1, .tid = -1 };

	for (guint i = 0; i < scene->machines->len; i++) {
		const struct scene_machine *machine = g_ptr_array_index(scene->machines, i);

		for (guint n = 0; n < machine->vcpus->len; n++) {
			const struct scene_vcpu *vcpu = g_ptr_array_index(machine->vcpus, n);

			if (selection.machine <= 0 && (vcpu->live || selection.machine < 0))
				selection = (struct selection) { (gint)machine->number,
					                         (gint)vcpu->id, -1 };
		}
	}
	return selection;
}

static void take_stop(HvsSession *self, struct scene_stop *stop)
{
	scene_stop_free(self->stop);
	self->stop = stop;
	self->serial++;
	if (stop->machine >= 0)
		self->selection = (struct selection) { stop->machine, stop->vcpu, stop->tid };
	g_signal_emit(self, signals[SIGNAL_STOPPED], 0);
}

static gboolean deliver_news(gpointer data)
{
	struct news *news = data;
	HvsSession *self = news->connection->session;
	gboolean stopped = news->stop != NULL;

	if (self == NULL)
		return G_SOURCE_REMOVE;
	if (news->failed != NULL) {
		drop_connection(self);
		set_state(self, self->scene != NULL ? SESSION_LOST : SESSION_CLOSED);
		say(self, TRUE, news->failed);
		return G_SOURCE_REMOVE;
	}
	if (news->lost) {
		lose(self);
		return G_SOURCE_REMOVE;
	}
	if (news->opened) {
		g_clear_pointer(&self->before, scene_unref);
		g_clear_pointer(&self->stop, scene_stop_free);
		self->capabilities = news->capabilities;
		self->serial++;
	}
	if (stopped) {
		g_clear_pointer(&self->before, scene_unref);
		self->before = g_steal_pointer(&self->scene);
		set_state(self, SESSION_STOPPED);
	}
	if (news->scene != NULL) {
		g_clear_pointer(&self->scene, scene_unref);
		self->scene = scene_ref(news->scene);
	}
	if (news->opened) {
		set_state(self, SESSION_STOPPED);
		self->selection = first_selection(self->scene);
	}
	g_signal_emit(self, signals[SIGNAL_SCENE], 0);
	if (stopped)
		take_stop(self, g_steal_pointer(&news->stop));
	if (!news->more)
		g_signal_emit(self, signals[SIGNAL_SELECTED], 0);
	return G_SOURCE_REMOVE;
}

static void news_free(gpointer data)
{
	struct news *self = data;

	if (self->scene != NULL)
		scene_unref(self->scene);
	scene_stop_free(self->stop);
	connection_unref(self->connection);
	g_free(self->failed);
	g_free(self);
}

static void post(struct news *news)
{
	g_main_context_invoke_full(NULL, G_PRIORITY_DEFAULT, deliver_news, news, news_free);
}

static struct news *news_new(struct connection *connection)
{
	struct news *self = g_new0(struct news, 1);

	self->connection = connection_ref(connection);
	return self;
}

/* In the worker from here on. */

static void note_stop(struct debug *debug, const struct stop_place *at)
{
	struct connection *self = debug->stopped_data;

	scene_stop_free(self->stop);
	self->stop = scene_stop_new(at);
}

/* Shows what is known, and begins to read the tasks anew. */
static void show_system(struct connection *self, gboolean opened)
{
	struct news *news = news_new(self);

	news->opened = opened;
	news->capabilities = target_capabilities(self->debug.target);
	news->scene = scene_new(&self->debug);
	news->stop = g_steal_pointer(&self->stop);
	self->next_machine = 0;
	post(news);
}

static gboolean is_lost(struct connection *self)
{
	return g_atomic_int_get(&self->control.lost) != 0;
}

static gboolean was_cancelled(struct connection *self)
{
	return g_atomic_int_compare_and_exchange(&self->control.cancel, 1, 0);
}

static gboolean open_target(struct connection *self, GError **error)
{
	struct target_tap_link link;
	const char *spec = target_tap_parse(self->spec, &link);
	struct target *target;

	if (self->system_path != NULL) {
		self->debug.file = system_file_load(self->system_path, error);
		if (self->debug.file == NULL)
			return FALSE;
	}
	target = target_open_any(spec, error);
	if (target == NULL)
		return FALSE;
	self->debug.target = target_tap_new(target, &self->control, &link);
	self->debug.system = system_new(self->debug.target, self->debug.file, error);
	return self->debug.system != NULL;
}

/* The tasks of one more machine. */
static void read_tasks(struct connection *self)
{
	GPtrArray *machines = system_machines(self->debug.system);
	struct machine *machine = g_ptr_array_index(machines, self->next_machine);
	struct news *news;

	system_tasks(self->debug.system, machine);
	if (is_lost(self)) {
		news = news_new(self);
		news->lost = TRUE;
		post(news);
		return;
	}
	if (was_cancelled(self)) {
		self->stale = TRUE;
		self->next_machine = machines->len;
		return;
	}
	self->next_machine++;
	news = news_new(self);
	news->scene = scene_new(&self->debug);
	news->more = TRUE;
	post(news);
}

static void answer(struct connection *self, struct job *job)
{
	uint64_t epoch = target_epoch(self->debug.target);

	if (self->stale) {
		self->stale = !system_refresh(self->debug.system, &job->error);
		if (self->stale && job->error != NULL)
			goto out;
	}
	job->answer = job->question->answer(&self->debug, job->argument, &job->error);
	if (!is_lost(self) && self->stop == NULL && target_epoch(self->debug.target) != epoch &&
	    job->error == NULL && !system_refresh(self->debug.system, &job->error))
		self->stale = TRUE;
	if (!is_lost(self) && !self->stale &&
	    (self->stop != NULL || target_epoch(self->debug.target) != epoch))
		show_system(self, FALSE);
out:
	job->lost = is_lost(self);
	job->cancelled = was_cancelled(self);
	self->stale = self->stale || job->cancelled;
	g_main_context_invoke_full(NULL, G_PRIORITY_DEFAULT, deliver_answer, job, job_free);
}

/* The next job, or NULL where tasks are to be read or the thread is to end. */
static struct job *next_job(struct connection *self, gboolean *leave)
{
	struct job *job;

	g_mutex_lock(&self->lock);
	self->doing = NULL;
	while (!self->leave && (job = g_queue_pop_head(&self->jobs)) == NULL &&
	       self->next_machine >= system_machines(self->debug.system)->len)
		g_cond_wait(&self->asked, &self->lock);
	*leave = self->leave;
	job = self->leave ? NULL : job;
	if (!self->leave)
		self->doing = job != NULL ? job->question->what : N_("the tasks");
	g_mutex_unlock(&self->lock);
	return job;
}

static gpointer work(gpointer data)
{
	struct connection *self = data;
	g_autoptr(GError) error = NULL;
	gboolean leave = FALSE;

	self->debug.stopped = note_stop;
	self->debug.stopped_data = self;
	if (open_target(self, &error)) {
		show_system(self, TRUE);
		while (!leave) {
			struct job *job = next_job(self, &leave);

			if (job != NULL)
				answer(self, job);
			else if (!leave)
				read_tasks(self);
			leave = leave || is_lost(self);
		}
	} else {
		struct news *news = news_new(self);

		news->failed = g_strdup(error->message);
		post(news);
	}
	breakpoints_free(self->debug.breakpoints);
	system_free(self->debug.system);
	target_free(self->debug.target);
	g_clear_pointer(&self->debug.file, system_file_free);
	g_free(self->debug.current);
	scene_stop_free(self->stop);
	g_mutex_lock(&self->lock);
	g_queue_clear_full(&self->jobs, job_free);
	g_mutex_unlock(&self->lock);
	connection_unref(self);
	return NULL;
}

/* In the main thread from here on. */

static gboolean watch(gpointer data)
{
	HvsSession *self = data;
	struct connection *connection = self->connection;
	const char *doing = NULL;

	if (connection != NULL) {
		g_mutex_lock(&connection->lock);
		doing = connection->doing;
		g_mutex_unlock(&connection->lock);
		self->reads = (guint)g_atomic_int_get(&connection->control.reads);
		self->kilobytes = (guint)g_atomic_int_get(&connection->control.kilobytes);
	}
	if (doing != self->doing || doing != NULL) {
		self->doing = doing;
		g_signal_emit(self, signals[SIGNAL_BUSY], 0);
	}
	if (self->state == SESSION_STOPPED && connection != NULL &&
	    g_atomic_int_get(&connection->control.running) != 0)
		set_state(self, SESSION_RUNNING);
	/* Between the stops that a filter steps over it counts as running. */
	else if (self->state == SESSION_RUNNING && doing == NULL)
		set_state(self, SESSION_STOPPED);
	return G_SOURCE_CONTINUE;
}

void hvs_session_open(HvsSession *self, const char *target, const char *system_path)
{
	struct connection *connection = g_new0(struct connection, 1);
	GThread *thread;

	drop_connection(self);
	g_free(self->spec);
	g_free(self->system_path);
	self->spec = g_strdup(target);
	self->system_path =
		system_path != NULL && *system_path != '\0' ? g_strdup(system_path) : NULL;
	g_atomic_ref_count_init(&connection->references);
	g_mutex_init(&connection->lock);
	g_cond_init(&connection->asked);
	connection->session = self;
	connection->spec = g_strdup(target);
	connection->system_path = g_strdup(self->system_path);
	connection->doing = N_("the system");
	self->connection = connection;
	set_state(self, SESSION_OPENING);
	thread = g_thread_new("debug", work, connection_ref(connection));
	g_thread_unref(thread);
}

void hvs_session_close(HvsSession *self)
{
	drop_connection(self);
	set_state(self, self->scene != NULL ? SESSION_LOST : SESSION_CLOSED);
}

static void drop_older(struct connection *connection, const struct session_question *question,
                       gpointer owner)
{
	GList *next;

	for (GList *at = connection->jobs.head; at != NULL; at = next) {
		struct job *job = at->data;

		next = at->next;
		if (job->question == question && job->owner_key == owner) {
			g_queue_delete_link(&connection->jobs, at);
			job_free(job);
		}
	}
}

void hvs_session_ask(HvsSession *self, const struct session_question *question, gpointer argument,
                     session_answered_fn answered, gpointer owner)
{
	struct job *job;

	if (self->connection == NULL) {
		if (question->free_argument != NULL && argument != NULL)
			question->free_argument(argument);
		return;
	}
	job = g_new0(struct job, 1);
	job->connection = connection_ref(self->connection);
	job->question = question;
	job->argument = argument;
	job->answered = answered;
	job->owner_key = owner;
	g_weak_ref_init(&job->owner, owner);
	g_mutex_lock(&self->connection->lock);
	drop_older(self->connection, question, owner);
	g_queue_push_tail(&self->connection->jobs, job);
	g_cond_signal(&self->connection->asked);
	g_mutex_unlock(&self->connection->lock);
}

void hvs_session_cancel(HvsSession *self)
{
	if (self->connection == NULL || self->doing == NULL)
		return;
	if (self->state == SESSION_OPENING) {
		hvs_session_close(self);
		say(self, FALSE, _("Cancelled."));
	} else if (self->state == SESSION_RUNNING) {
		hvs_session_halt(self);
	} else {
		g_atomic_int_set(&self->connection->control.cancel, 1);
	}
}

/* A command that lets the target go, and on which core. */
struct going {
	char *command;
	struct selection selection;
};

static void going_free(gpointer data)
{
	struct going *self = data;

	g_free(self->command);
	g_free(self);
}

static gpointer go(struct debug *debug, gpointer argument, GError **error)
{
	const struct going *going = argument;
	struct connection *connection = debug->stopped_data;
	struct machine *machine;
	struct vcpu *vcpu;
	struct task *task;
	g_autofree char *said = NULL;
	gsize n;

	g_atomic_int_set(&connection->control.halt, 0);
	if (selection_find(debug, &going->selection, &machine, &vcpu, &task, NULL) &&
	    vcpu != NULL && vcpu->live)
		debug->cpu = vcpu->live_cpu;
	debug->out = open_memstream(&said, &n);
	debug->notes = debug->out;
	debug_run_line(debug, going->command, error);
	fclose(debug->out);
	debug->out = debug->notes = NULL;
	return NULL;
}

static const struct session_question question_go = {
	.what = N_("the target"),
	.answer = go,
	.free_argument = going_free,
};

static void ask_command(HvsSession *self, char *command)
{
	struct going *going = g_new0(struct going, 1);

	going->command = command;
	going->selection = self->selection;
	hvs_session_ask(self, &question_go, going, NULL, self);
}

void hvs_session_go(HvsSession *self, const char *command)
{
	if (strcmp(command, "run") == 0)
		ask_command(self, g_strdup_printf("run --seconds %u", (guint)RUN_SECONDS));
	else
		ask_command(self, g_strdup(command));
}

void hvs_session_halt(HvsSession *self)
{
	if (self->connection != NULL)
		g_atomic_int_set(&self->connection->control.halt, 1);
}

static gpointer look(struct debug *debug, gpointer argument, GError **error)
{
	struct connection *connection = debug->stopped_data;

	(void)argument;
	if (system_refresh(debug->system, error))
		show_system(connection, FALSE);
	return NULL;
}

void hvs_session_look(HvsSession *self)
{
	static const struct session_question question = { .what = N_("the system"),
		                                          .answer = look };

	hvs_session_ask(self, &question, NULL, NULL, self);
}

static gpointer freeze(struct debug *debug, gpointer argument, GError **error)
{
	char *said = NULL;
	gsize n;

	debug->out = open_memstream(&said, &n);
	debug->notes = debug->out;
	debug_run_line(debug, argument, error);
	fclose(debug->out);
	debug->out = debug->notes = NULL;
	return said;
}

static void frozen(gpointer owner, gpointer said, const GError *error)
{
	if (error != NULL)
		say(owner, TRUE, error->message);
	else
		say(owner, FALSE, g_strstrip(said));
}

void hvs_session_freeze(HvsSession *self, const char *path, const char *ram)
{
	static const struct session_question question = { .what = N_("all memory"),
		                                          .answer = freeze,
		                                          .free_answer = g_free,
		                                          .free_argument = g_free };
	g_autofree char *quoted = g_shell_quote(path);
	g_autofree char *quoted_ram = g_shell_quote(ram != NULL ? ram : "");

	hvs_session_ask(self, &question,
	                g_strdup_printf("dump -o %s%s%s", quoted,
	                                ram != NULL && *ram != '\0' ? " --ram " : "",
	                                ram != NULL && *ram != '\0' ? quoted_ram : ""),
	                frozen, self);
}

enum session_state hvs_session_state(HvsSession *self)
{
	return self->state;
}

gboolean hvs_session_can(HvsSession *self, enum target_capability what)
{
	return self->state == SESSION_STOPPED && (self->capabilities & what) != 0;
}

const char *hvs_session_target(HvsSession *self)
{
	return self->spec;
}

const char *hvs_session_system_path(HvsSession *self)
{
	return self->system_path;
}

const struct scene_system *hvs_session_scene(HvsSession *self)
{
	return self->scene;
}

const struct scene_system *hvs_session_scene_before(HvsSession *self)
{
	return self->before;
}

const struct scene_stop *hvs_session_stop(HvsSession *self)
{
	return self->stop;
}

guint hvs_session_serial(HvsSession *self)
{
	return self->serial;
}

const char *hvs_session_busy(HvsSession *self, guint *reads, guint *kilobytes)
{
	*reads = self->reads;
	*kilobytes = self->kilobytes;
	return self->doing != NULL ? _(self->doing) : NULL;
}

struct selection hvs_session_selection(HvsSession *self)
{
	return self->selection;
}

void hvs_session_select(HvsSession *self, struct selection selection)
{
	if (self->selection.machine == selection.machine &&
	    self->selection.vcpu == selection.vcpu && self->selection.tid == selection.tid)
		return;
	self->selection = selection;
	g_signal_emit(self, signals[SIGNAL_SELECTED], 0);
}

char *hvs_session_space(HvsSession *self)
{
	const struct scene_machine *machine = scene_machine(self->scene, self->selection.machine);
	const struct scene_task *task = scene_machine_task(machine, self->selection.tid);

	if (machine == NULL)
		return g_strdup("");
	if (task == NULL || task->is_kernel)
		return g_strdup_printf("%s:::", machine->name);
	return g_strdup_printf("%s:::%" G_GINT64_FORMAT "::", machine->name, task->tid);
}

static void hvs_session_dispose(GObject *object)
{
	HvsSession *self = HVS_SESSION(object);

	drop_connection(self);
	if (self->watch != 0)
		g_source_remove(self->watch);
	self->watch = 0;
	G_OBJECT_CLASS(hvs_session_parent_class)->dispose(object);
}

static void hvs_session_finalize(GObject *object)
{
	HvsSession *self = HVS_SESSION(object);

	g_clear_pointer(&self->scene, scene_unref);
	g_clear_pointer(&self->before, scene_unref);
	scene_stop_free(self->stop);
	g_free(self->spec);
	g_free(self->system_path);
	G_OBJECT_CLASS(hvs_session_parent_class)->finalize(object);
}

static void hvs_session_class_init(HvsSessionClass *class)
{
	static const char *const names[] = { "state", "scene", "stopped", "selected", "busy" };

	G_OBJECT_CLASS(class)->dispose = hvs_session_dispose;
	G_OBJECT_CLASS(class)->finalize = hvs_session_finalize;
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		signals[i] = g_signal_new(names[i], HVS_TYPE_SESSION, G_SIGNAL_RUN_LAST, 0, NULL,
		                          NULL, NULL, G_TYPE_NONE, 0);
	signals[SIGNAL_SAID] =
		g_signal_new("said", HVS_TYPE_SESSION, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
	                     G_TYPE_NONE, 2, G_TYPE_BOOLEAN, G_TYPE_STRING);
}

static void hvs_session_init(HvsSession *self)
{
	self->selection = (struct selection) { -1, -1, -1 };
	self->watch = g_timeout_add(WATCH_MS, watch, self);
}

HvsSession *hvs_session_new(void)
{
	return g_object_new(HVS_TYPE_SESSION, NULL);
}

gboolean selection_find(struct debug *debug, const struct selection *selection,
                        struct machine **machine, struct vcpu **vcpu, struct task **task,
                        GError **error)
{
	g_autofree char *number = g_strdup_printf("%d", selection->machine);
	struct machine *found = system_find_machine(debug->system, number, error);

	*vcpu = NULL;
	*task = NULL;
	if (found == NULL)
		return FALSE;
	if (selection->tid >= 0) {
		g_autofree char *tid = g_strdup_printf("%" G_GINT64_FORMAT, selection->tid);

		*task = system_find_task(debug->system, found, tid, error);
		if (*task == NULL)
			return FALSE;
	}
	for (guint i = 0; i < found->vcpus->len; i++) {
		struct vcpu *one = g_ptr_array_index(found->vcpus, i);

		if (*task != NULL ? system_current_task(debug->system, found, one) == *task
		                  : (gint)one->id == selection->vcpu)
			*vcpu = one;
	}
	*machine = found;
	return TRUE;
}
