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

-- Spans with their owner spelt out, for reading by hand.
CREATE VIEW span_owner AS
	SELECT core, start_ns, seq, duration_ns, cycles, halted_ns, class, el, vmid, context_id,
	       trace_offset
	FROM span JOIN owner USING (owner);
