/* vcpu-identity.h: which vCPU of its domain a piece was
 *
 * A VMID names the domain; nothing in the trace names the vCPU. A vCPU that leaves a core
 * does so with a context ID and a resume address, and comes back with them: this follows
 * all of a domain's vCPUs at once through the whole recording. Every way to tell the story
 * that fits is kept as a hypothesis, with a weight; evidence found later (a vCPU is in one
 * place at a time, beacons, addresses that fit nothing else) weighs the earlier choices
 * too, by a forward and a backward pass over all pieces. The result is a probability for
 * each piece, not a greedy guess.
 *
 * Pure: takes pieces, gives numbers. One call serves one domain; calls are independent.
 */
#pragma once

#include "decode/exits.h"

enum {
	IDENTITY_VCPUS_MAX = 16, /* vCPUs of one domain that are told apart */
	IDENTITY_NO_NUMBER = -1
};

/* How a vCPU stood at the end of the trace, as a dump of the halted target has it. */
struct identity_end {
	guint number;
	gint64 context_id; /* OWNER_NO_VALUE where not known */
	gboolean has_pc;
	guint64 pc_va; /* its next instruction */
};

struct identity_config {
	gint64 vmid;
	guint n_vcpus; /* 0: not known, as many as the pieces ask for */
	/* A context ID other than 0 is one thread, which one vCPU at a time can run (Linux
	 * with CONFIG_PID_IN_CONTEXTIDR). */
	gboolean unique_contexts;
	/* Each vCPU has a core of its own (Xen's null scheduler). */
	gboolean pinned;
	/* guint32 context ID -> CPU number + 1: tasks that run on one CPU only. May be NULL. */
	GHashTable *beacons;
	/* Per piece of the list: the vCPU that a software marker at the entry names, else
	 * IDENTITY_NO_NUMBER. May be NULL. */
	const gint *marked;
	const struct identity_end *ends; /* at most one a vCPU, those that had no core */
	guint n_ends;
};

struct identity {
	gint number; /* in its domain, IDENTITY_NO_NUMBER where not known */
	enum how_known known;
	double confidence; /* 0 to 1 */
	/* How sure it is that the vCPU which the visit before this piece left was entered
	 * again; 0 where that visit left another domain. */
	double same;
};

struct identity_summary {
	guint n_vcpus;    /* numbers in use: 0 to n_vcpus - 1 */
	guint32 numbered; /* bit n: number n is the guest's own CPU number */
};

/* Fills identities[i] for each piece i of the domain `config->vmid`; leaves the others. */
void identity_settle(const struct identity_config *config, const struct exit_list *list,
                     struct identity *identities, struct identity_summary *summary);

/* The CPU that a task by this name is bound to (ksoftirqd/1, migration/0, kworker/1:2), or
 * IDENTITY_NO_NUMBER: Linux names its per-CPU threads so, and unbound workers kworker/u4:1. */
gint identity_cpu_of_task(const char *name);
