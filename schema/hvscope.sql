-- hvscope.sql: what a recording (NAME.hvs) holds
--
-- A recording is an SQLite database, application_id 'HVSC' (0x48565343), user_version = schema
-- version (1). This file defines it and is built into hvscope. Plain tables: any SQLite tool can
-- read them. Times are in nanoseconds since the start of the window (window_ns in meta), offsets
-- are bytes of the formatted trace of the core's buffer. NULL means that the trace does not say.

-- What was decoded, how, and by what. One row a key:
--   schema_version         this file's version
--   tool_version           hvscope's version
--   capture_path           the capture directory as it was given
--   capture_identity       SHA-256 of the capture's metadata and trace files
--   trace_bytes            bytes of raw trace in all buffers
--   window_ns              length of the window; every core's time is accounted over all of it
--   window_start_ticks     timestamp at the window's start, as traced; absent without timestamps
--   timestamp_hz           ticks per second of the trace timestamps
--   timestamp_hz_source    'system-file', 'capture' (capture.ini) or 'assumed' (1 tick = 1 ns)
--   core_hz                core clock, cycles per second, where known
--   time_base              'timestamps', 'cycles' (no timestamps: 1 cycle = 1 ns unless core_hz
--                          is known) or 'bytes' (neither: order only, 1 byte = 1 ns)
--   time                   'measured', or 'modelled' where the capture's own clock is not real
--                          time (an emulator): judge by cycles
--   hypervisor, scheduler  from the system file, where given
--   names_sources          where names of tasks come from, one a line: the names files with what
--                          they looked at and when; absent without
CREATE TABLE meta (
	key   TEXT PRIMARY KEY NOT NULL,
	value TEXT NOT NULL
) WITHOUT ROWID;

-- The core devices of the capture.
CREATE TABLE core (
	core        INTEGER PRIMARY KEY, -- index among the core devices, from 0
	name        TEXT,                -- device name, or the system file's name for it
	type        TEXT,                -- 'Cortex-A53'
	source      TEXT,                -- trace source device, NULL where none feeds this core
	protocol    TEXT,                -- 'ETMv4'
	trace_id    INTEGER,             -- CoreSight trace ID, NULL where none
	trace_bytes INTEGER NOT NULL     -- bytes of this ID, frame formatting removed
);

-- Names from the system file. Machine 0 is the hypervisor.
CREATE TABLE machine (
	machine INTEGER PRIMARY KEY,
	name    TEXT,
	kind    TEXT,             -- 'xen', 'linux', 'freertos', 'bare'
	vmid    INTEGER,          -- the VMID that marks this machine in the trace
	vcpus   INTEGER NOT NULL  -- 0 where unsaid
);
CREATE TABLE task (
	machine    INTEGER NOT NULL,
	context_id INTEGER NOT NULL,
	name       TEXT NOT NULL,
	PRIMARY KEY (machine, context_id)
) WITHOUT ROWID;

-- Who bore which context ID when, as names files and the system file say; `task` has the last name
-- only. Rows of one machine and context ID do not overlap.
CREATE TABLE task_name (
	task_name     INTEGER PRIMARY KEY, -- index from 0, by machine, context ID and time
	machine       INTEGER NOT NULL,
	context_id    INTEGER NOT NULL,
	name          TEXT NOT NULL,
	pid           INTEGER,             -- of its process
	cpu           INTEGER,             -- the only CPU of its guest that it may run on
	valid_from_ns INTEGER,             -- may lie before the window (negative); NULL: since ever
	valid_to_ns   INTEGER,             -- exclusive; NULL: until further notice
	doubtful      INTEGER NOT NULL     -- 1: it ended at some time in this period, and another may
	                                   -- have had its context ID then
);
-- The task_name of owners that have one. Where several tasks bore one context ID, each is an owner
-- of its own.
CREATE TABLE owner_name (
	owner     INTEGER PRIMARY KEY, -- owner.owner
	task_name INTEGER NOT NULL     -- task_name.task_name
);

-- Each distinct owner of a core's time. class:
--   guest       EL0/EL1 with a traced VMID other than 0
--   host        EL0/EL1 without one: bare metal, or user code of a VHE host
--   hypervisor  EL2; vmid and context_id as traced, they may be stale
--   secure      EL3, or secure state
--   idle        halted (no cycles) in EL2
--   untraced    filtered out by the trace unit's settings: nobody's time
--   lost        overflow, lost synchronisation, bad data: nobody's time
--   unknown     traced, but before the first context: nobody's time
CREATE TABLE owner (
	owner      INTEGER PRIMARY KEY,
	class      TEXT NOT NULL,
	el         INTEGER,  -- exception level, 0 to 3
	vmid       INTEGER,
	context_id INTEGER
);

-- Gapless, disjoint pieces of each core's time, each with one owner.
CREATE TABLE span (
	core           INTEGER NOT NULL,
	start_ns       INTEGER NOT NULL,
	seq            INTEGER NOT NULL, -- 0, 1, .. among spans of one core with one start_ns
	duration_ns    INTEGER NOT NULL, -- may be 0
	cycles         INTEGER NOT NULL, -- core cycles, 0 where the capture has no cycle counts
	halted_ns      INTEGER NOT NULL, -- part of duration_ns in which no cycles were counted
	uncertainty_ns INTEGER NOT NULL, -- how far start_ns may be off, either way
	owner          INTEGER NOT NULL, -- owner.owner
	certainty      INTEGER NOT NULL, -- 0 traced, 1 inferred between an exit and an entry
	trace_offset   INTEGER NOT NULL, -- byte that began the span
	PRIMARY KEY (core, start_ns, seq)
) WITHOUT ROWID;

-- Why and where trace is missing. The same time is in span, as 'lost' or 'unknown'.
CREATE TABLE gap (
	core         INTEGER NOT NULL,
	start_ns     INTEGER NOT NULL,
	seq          INTEGER NOT NULL, -- running number, in the order of the trace
	duration_ns  INTEGER NOT NULL,
	reason       TEXT NOT NULL,    -- 'overflow', 'no-sync', 'bad-data', 'barrier', 'discard'
	begin_offset INTEGER NOT NULL, -- bytes of trace, begin inclusive
	end_offset   INTEGER NOT NULL, -- end exclusive
	PRIMARY KEY (core, start_ns, seq)
) WITHOUT ROWID;

-- Exceptions taken.
CREATE TABLE exception (
	core              INTEGER NOT NULL,
	time_ns           INTEGER NOT NULL,
	seq               INTEGER NOT NULL, -- running number, in the order of the trace
	type              INTEGER NOT NULL, -- ETMv4 exception type: 2 call, 3 trap, 14 IRQ, ...
	return_address_va INTEGER,          -- preferred return address (a signed 64-bit number)
	from_owner        INTEGER NOT NULL, -- owner.owner that was interrupted
	to_owner          INTEGER NOT NULL, -- owner.owner of the handler
	trace_offset      INTEGER NOT NULL,
	PRIMARY KEY (core, time_ns, seq)
) WITHOUT ROWID;

-- Software trace messages, in the order of the trace.
CREATE TABLE stm (
	seq          INTEGER PRIMARY KEY,
	source       TEXT NOT NULL,    -- STM device
	time_ns      INTEGER,
	timestamp    INTEGER NOT NULL, -- as traced, 0 where none
	master       INTEGER NOT NULL,
	channel      INTEGER NOT NULL,
	kind         TEXT NOT NULL,    -- 'data', 'flag', 'trigger', 'frequency', 'error'
	marked       INTEGER NOT NULL, -- 0 or 1
	payload      BLOB NOT NULL,
	trace_offset INTEGER NOT NULL
);

-- How good each source's trace was: counts, and where the counted things happened.
CREATE TABLE quality (
	source TEXT NOT NULL,    -- trace source device
	name   TEXT NOT NULL,    -- 'overflow', 'bad-sequence', 'resync', ...
	count  INTEGER NOT NULL,
	PRIMARY KEY (source, name)
) WITHOUT ROWID;
CREATE TABLE quality_event (
	seq          INTEGER PRIMARY KEY,
	source       TEXT NOT NULL,
	name         TEXT NOT NULL,
	trace_offset INTEGER NOT NULL,
	detail       TEXT
);

-- Over a core's spans: how far their starts may be off.
CREATE TABLE uncertainty (
	core   INTEGER PRIMARY KEY,
	spans  INTEGER NOT NULL,
	sum_ns REAL NOT NULL,    -- of uncertainty_ns
	max_ns INTEGER NOT NULL
);

-- Sums over span, made while it was written.
CREATE TABLE account (
	core      INTEGER NOT NULL,
	owner     INTEGER NOT NULL,
	time_ns   INTEGER NOT NULL, -- halted_ns included
	cycles    INTEGER NOT NULL,
	halted_ns INTEGER NOT NULL,
	spans     INTEGER NOT NULL,
	PRIMARY KEY (core, owner)
) WITHOUT ROWID;

-- Levels of detail for drawing: time of each owner in each bucket of 4^level ns. Bucket b covers
-- [b * 4^level, (b + 1) * 4^level). An owner has a row in each bucket that one of its spans
-- touches, also with time 0, so nothing vanishes; sums over a level equal the sums over span.
-- A core's finest level holds some 16 to 64 spans a bucket: below it, read span itself.
CREATE TABLE lod (
	core    INTEGER NOT NULL,
	level   INTEGER NOT NULL,
	bucket  INTEGER NOT NULL,
	owner   INTEGER NOT NULL,
	time_ns INTEGER NOT NULL,
	spans   INTEGER NOT NULL, -- spans that begin in the bucket
	PRIMARY KEY (core, level, bucket, owner)
) WITHOUT ROWID;

-- The vCPUs that could be told apart, and for a domain with runs whose vCPU is not known one
-- more that stands for those.
CREATE TABLE vcpu (
	vcpu     INTEGER PRIMARY KEY, -- index from 0, by VMID and number, the unknown one last
	vmid     INTEGER NOT NULL,    -- of its domain, as traced
	number   INTEGER,             -- 0, 1, .. in its domain; NULL for "which one is not known"
	numbered INTEGER NOT NULL     -- 1: number is the guest's own CPU number; 0: an order of our own
);

-- What each vCPU did. The rows of one vCPU are in order, and disjoint as far as the cores' clocks
-- agree; those of an unknown one
-- (vcpu.number NULL) may overlap. A row with a core goes from the entry that scheduled the vCPU
-- there to the exit after which something else ran, visits to the hypervisor on the way included.
-- Rows without a core are the time between.
-- state:
--   0 running      on the core
--   1 runnable     it left by an interrupt, or had been blocked and was woken (where the
--                  hypervisor's code is known, and only one wake can have been its own): it has
--                  work to do, and waits for a core
--   2 blocked      it left by its own WFI, or by a call or trap after which others ran: it had
--                  nothing to do, or gave the core up
--   3 unknown      not seen: before its first run, after its last, or trace was lost on its way
-- known (which vCPU it was): 0 unknown, 1 inferred, 2 exact
CREATE TABLE vcpu_run (
	vcpu          INTEGER NOT NULL, -- vcpu.vcpu
	start_ns      INTEGER NOT NULL,
	seq           INTEGER NOT NULL, -- running number
	duration_ns   INTEGER NOT NULL,
	core          INTEGER,          -- NULL where it had none
	state         INTEGER NOT NULL,
	guest_ns      INTEGER NOT NULL, -- part of duration_ns in EL0 and EL1, 0 without a core
	hypervisor_ns INTEGER NOT NULL, -- part in EL2 on its behalf, 0 without a core
	cycles        INTEGER NOT NULL, -- of guest_ns; 0 where the capture has none
	exits         INTEGER NOT NULL, -- visits to EL2 in it that came back to it
	known         INTEGER NOT NULL,
	confidence    REAL NOT NULL,    -- 0 to 1, that it was this vCPU; 1 where exact, 0 where unknown
	PRIMARY KEY (vcpu, start_ns, seq)
) WITHOUT ROWID;

-- Each visit of a core to EL2 that a guest's exception began, up to the next entry to a guest.
-- reason: 0 unknown, 1 call (HVC, SMC), 2 trap, 3 WFI (or WFE), 4 IRQ, 5 FIQ, 6 instruction
--   abort, 7 data abort, 8 SError, 9 debug, 10 other. WFI is told from trap by the instruction,
--   where the guest's code is known, else by what follows.
-- ended: 0 in the same vCPU, 1 in another vCPU or domain, 2 idle (the core halted before
--   anything ran), 3 not seen: trace was lost or ended
-- known (whether it ended in the same vCPU): as in vcpu_run
CREATE TABLE exit (
	core               INTEGER NOT NULL,
	start_ns           INTEGER NOT NULL,
	seq                INTEGER NOT NULL, -- running number, in the order of the trace
	duration_ns        INTEGER NOT NULL, -- to the entry; to the end of trace where none came
	hypervisor_ns      INTEGER NOT NULL, -- part of it in EL2
	idle_ns            INTEGER NOT NULL, -- part of it halted
	idle_hypervisor_ns INTEGER NOT NULL, -- part of hypervisor_ns between two halts: interrupts while idle
	cycles             INTEGER NOT NULL, -- in EL2; 0 where the capture has none
	reason             INTEGER NOT NULL,
	type               INTEGER,          -- ETMv4 exception type, NULL where no exception was traced
	return_address_va  INTEGER,          -- preferred return address (a signed 64-bit number)
	resume_address_va  INTEGER,          -- where the entry went (likewise), NULL where not traced
	vcpu               INTEGER NOT NULL, -- vcpu.vcpu that it served: the one that was left
	next_vcpu          INTEGER,          -- vcpu.vcpu that was entered
	ended              INTEGER NOT NULL,
	known              INTEGER NOT NULL,
	confidence         REAL NOT NULL,
	wake_ns            INTEGER,          -- from the end of its last halt to the entry, where it halted
	injection_ns       INTEGER,          -- IRQ: from its start to the guest's own IRQ vector, where
	                                     -- the entry took one at once
	censored           INTEGER NOT NULL, -- 1: it touches lost trace, leave it out of statistics
	trace_offset       INTEGER NOT NULL,
	instruction        INTEGER,          -- that it was for, where the guest's code is known: 1 HVC,
	                                     -- 2 SMC, 3 WFI, 4 WFE, 5 MSR or MRS, 6 another
	handler            INTEGER,          -- hypervisor_function.function that it was handled by, where
	                                     -- the hypervisor's code is known
	PRIMARY KEY (core, start_ns, seq)
) WITHOUT ROWID;

-- The rows of vcpu_run (lane: vcpu) and exit (lane: core) once more, in the tables' order, as
-- blobs that a report reads in a twentieth of the time; for a program, read the tables. Form:
-- schema/packed.h. A kind may be missing: then its rows are in the table only.
CREATE TABLE packed (
	kind TEXT NOT NULL,    -- 'vcpu_run' or 'exit'
	lane INTEGER NOT NULL,
	blob INTEGER NOT NULL, -- running number
	rows INTEGER NOT NULL, -- in it
	data BLOB NOT NULL,
	PRIMARY KEY (kind, lane, blob)
) WITHOUT ROWID;

-- Functions of the hypervisor that mean something, where its code was given and some visit went
-- through them. role:
--   handler  it says what an exit was for: a hypercall, a device's registers
--   interrupt  likewise, of an interrupt
--   wake     a vCPU is made runnable         notify  an event is sent to a guest
--   inject   a virtual interrupt is pending  switch  one vCPU is exchanged for another
CREATE TABLE hypervisor_function (
	function INTEGER PRIMARY KEY, -- index from 0
	name     TEXT NOT NULL,
	role     TEXT NOT NULL
);

-- Each time a visit entered one of them.
CREATE TABLE hypervisor_call (
	core     INTEGER NOT NULL,
	time_ns  INTEGER NOT NULL,
	seq      INTEGER NOT NULL, -- running number, in the order of the trace
	function INTEGER NOT NULL,
	vcpu     INTEGER NOT NULL, -- vcpu.vcpu that the visit served, which is not always who is woken
	PRIMARY KEY (core, time_ns, seq)
) WITHOUT ROWID;

-- Requests of a frontend domain to its backend, of the pairs that the system file names. Times
-- are NULL where not seen, and those that are seen never go back:
--   t0 the frontend's notify (hypercall)       t1 the hypervisor makes the backend's vCPU runnable
--   t2 the backend's vCPU runs                 t3 its interrupt handler runs
--   t4 the backend's task runs                 t5 the backend's notify
--   t6 the hypervisor makes the frontend's vCPU runnable
--   t7 the frontend's vCPU runs                t8 the frontend's handler runs
CREATE TABLE request (
	request       INTEGER PRIMARY KEY, -- in order of the first time that was seen
	frontend_vmid INTEGER NOT NULL,
	backend_vmid  INTEGER NOT NULL,
	number        INTEGER,             -- its own, from its software markers
	t0_ns INTEGER, t1_ns INTEGER, t2_ns INTEGER, t3_ns INTEGER, t4_ns INTEGER,
	t5_ns INTEGER, t6_ns INTEGER, t7_ns INTEGER, t8_ns INTEGER,
	marked        INTEGER NOT NULL,    -- bit n: t<n> is a software marker of this request
	exact         INTEGER NOT NULL,    -- bit n: t<n> is exact, as all marked ones are; else inferred
	notify        INTEGER NOT NULL,    -- requests that one notify carried share this number
	censored      INTEGER NOT NULL     -- 1: it touches lost trace or an end of the window, leave it
	                                   -- out of statistics
);

-- Spans with their owner spelt out, for reading by hand.
CREATE VIEW span_owner AS
	SELECT core, start_ns, seq, duration_ns, cycles, halted_ns, class, el, vmid, context_id,
	       trace_offset
	FROM span JOIN owner USING (owner);

-- Time of each task, by the name it had.
CREATE VIEW v_task AS
	SELECT o.class, o.vmid, coalesce(m.name, 'VMID ' || o.vmid) AS domain, o.context_id,
	       n.name AS task, n.pid, n.doubtful, sum(a.time_ns) AS time_ns, sum(a.cycles) AS cycles,
	       sum(a.spans) AS spans
	FROM account AS a JOIN owner AS o USING (owner) LEFT JOIN owner_name USING (owner)
	LEFT JOIN task_name AS n USING (task_name) LEFT JOIN machine AS m ON m.vmid = o.vmid
	WHERE o.class IN ('guest', 'host')
	GROUP BY o.class, o.vmid, o.context_id, n.task_name;

-- What to call the domain of a VMID, as reports do.
CREATE VIEW domain_name AS
	SELECT vmid, coalesce((SELECT name FROM machine WHERE machine.vmid = v.vmid),
	                      CASE (SELECT value FROM meta WHERE key = 'hypervisor')
	                      WHEN 'xen' THEN 'domain ' || (vmid - 1) ELSE 'VMID ' || vmid END) AS name
	FROM (SELECT DISTINCT vmid FROM vcpu) AS v;

-- vcpu_run in words: what each vCPU did, when, where, and how that is known.
CREATE VIEW v_schedule AS
	SELECT n.name AS domain, v.vmid, v.number AS vcpu, v.numbered, r.start_ns, r.duration_ns,
	       r.core,
	       CASE r.state WHEN 0 THEN 'running' WHEN 1 THEN 'runnable' WHEN 2 THEN 'blocked'
	                    ELSE 'unknown' END AS state,
	       r.guest_ns, r.hypervisor_ns, r.cycles, r.exits,
	       CASE r.known WHEN 2 THEN 'exact' WHEN 1 THEN 'inferred' ELSE 'unknown' END AS known,
	       r.confidence
	FROM vcpu_run AS r JOIN vcpu AS v USING (vcpu) JOIN domain_name AS n USING (vmid);

-- exit in words.
CREATE VIEW v_exit AS
	SELECT e.core, e.start_ns, e.duration_ns, e.hypervisor_ns, e.idle_ns, e.idle_hypervisor_ns,
	       e.cycles,
	       CASE e.reason WHEN 1 THEN 'call' WHEN 2 THEN 'trap' WHEN 3 THEN 'wfi' WHEN 4 THEN 'irq'
	                     WHEN 5 THEN 'fiq' WHEN 6 THEN 'inst-abort' WHEN 7 THEN 'data-abort'
	                     WHEN 8 THEN 'serror' WHEN 9 THEN 'debug' WHEN 10 THEN 'other'
	                     ELSE 'unknown' END AS reason,
	       n.name AS domain, v.vmid, v.number AS vcpu, nn.name AS next_domain,
	       nv.number AS next_vcpu,
	       CASE e.ended WHEN 0 THEN 'same' WHEN 1 THEN 'other' WHEN 2 THEN 'idle'
	                    ELSE 'lost' END AS ended,
	       CASE e.known WHEN 2 THEN 'exact' WHEN 1 THEN 'inferred' ELSE 'unknown' END AS known,
	       e.confidence, e.return_address_va, e.resume_address_va, e.wake_ns, e.injection_ns, e.censored,
	       CASE e.instruction WHEN 1 THEN 'hvc' WHEN 2 THEN 'smc' WHEN 3 THEN 'wfi' WHEN 4 THEN 'wfe'
	                          WHEN 5 THEN 'sysreg' WHEN 6 THEN 'other' END AS instruction,
	       f.name AS handler
	FROM exit AS e JOIN vcpu AS v ON v.vcpu = e.vcpu JOIN domain_name AS n ON n.vmid = v.vmid
	LEFT JOIN vcpu AS nv ON nv.vcpu = e.next_vcpu LEFT JOIN domain_name AS nn ON nn.vmid = nv.vmid
	LEFT JOIN hypervisor_function AS f ON f.function = e.handler;

-- request with its stages as durations. A stage that lies beside a time that was not seen is NULL.
-- scheduling_ns is the backend's and the frontend's vCPU and the backend's task waiting to run;
-- where t1, t3 or t6 was not seen, from the time before it, which makes it too long by notify,
-- upcall or return notify. known: 'exact' where every time that was seen is.
CREATE VIEW v_request AS
	SELECT request, coalesce(f.name, 'VMID ' || frontend_vmid) AS frontend,
	       coalesce(b.name, 'VMID ' || backend_vmid) AS backend, number,
	       coalesce(t0_ns, t1_ns, t2_ns, t3_ns, t4_ns, t5_ns, t6_ns, t7_ns, t8_ns) AS start_ns,
	       t8_ns - t0_ns AS total_ns, t1_ns - t0_ns AS notify_ns,
	       t2_ns - t1_ns AS backend_scheduling_ns, t3_ns - t2_ns AS upcall_ns,
	       t4_ns - t3_ns AS thread_wake_ns, t5_ns - t4_ns AS service_ns,
	       t6_ns - t5_ns AS return_notify_ns, t7_ns - t6_ns AS frontend_scheduling_ns,
	       t8_ns - t7_ns AS front_upcall_ns,
	       t2_ns - coalesce(t1_ns, t0_ns) + t4_ns - coalesce(t3_ns, t2_ns) +
	           t7_ns - coalesce(t6_ns, t5_ns) AS scheduling_ns,
	       t0_ns, t1_ns, t2_ns, t3_ns, t4_ns, t5_ns, t6_ns, t7_ns, t8_ns,
	       CASE WHEN exact = (t0_ns IS NOT NULL) + 2 * (t1_ns IS NOT NULL) +
	                         4 * (t2_ns IS NOT NULL) + 8 * (t3_ns IS NOT NULL) +
	                         16 * (t4_ns IS NOT NULL) + 32 * (t5_ns IS NOT NULL) +
	                         64 * (t6_ns IS NOT NULL) + 128 * (t7_ns IS NOT NULL) +
	                         256 * (t8_ns IS NOT NULL)
	            THEN 'exact' ELSE 'inferred' END AS known,
	       trim(iif(t0_ns IS NULL, 't0 ', '') || iif(t1_ns IS NULL, 't1 ', '') ||
	            iif(t2_ns IS NULL, 't2 ', '') || iif(t3_ns IS NULL, 't3 ', '') ||
	            iif(t4_ns IS NULL, 't4 ', '') || iif(t5_ns IS NULL, 't5 ', '') ||
	            iif(t6_ns IS NULL, 't6 ', '') || iif(t7_ns IS NULL, 't7 ', '') ||
	            iif(t8_ns IS NULL, 't8 ', '')) AS missing,
	       marked, exact, notify, censored
	FROM request LEFT JOIN domain_name AS f ON f.vmid = frontend_vmid
	LEFT JOIN domain_name AS b ON b.vmid = backend_vmid;
