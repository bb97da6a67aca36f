"""The requests of a recording against the truth plugin's log.

The lab's frontend sends one event a request, and its backend one an answer: a hypercall (HVC,
x16 = 32) that the log has with its time. What runs in between is in the log's intervals: the
frontend's and the backend's vCPUs (one each) by their VMID, the backend's worker and the end of
the frontend's wait by the context ID.
"""

import bisect
import csv
import sqlite3

EVENT_CHANNEL_OP = 32
EC_HVC64 = 0x16
SYNC_OF_LOWER_EL = 0x400  # the vector; ESR is stale at the others
STAGES = ("t0", "t2", "t4", "t5", "t7", "t8")


def _sends(folder, vmid):
    """When the domain sent events, in ns of the machine."""
    with open(folder / "truth" / "entries.csv", newline="", encoding="ascii") as file:
        return [int(row["ns"]) for row in csv.DictReader(file)
                if int(row["offset"], 16) == SYNC_OF_LOWER_EL and int(row["vmid"]) == vmid
                and int(row["esr"], 16) >> 26 == EC_HVC64
                and int(row["x16"], 16) == EVENT_CHANNEL_OP]


def _guest_time(folder, vmids):
    """Per VMID (begin, end, context ID) of its time in EL0 and EL1, in order: a row of the log
    lasts until the next one of its core."""
    by_core = {}
    with open(folder / "truth" / "intervals.csv", newline="", encoding="ascii") as file:
        for row in csv.DictReader(file):
            by_core.setdefault(row["core"], []).append(row)
    found = {vmid: [] for vmid in vmids}
    for rows in by_core.values():
        for row, after in zip(rows, rows[1:]):
            if int(row["vmid"]) in found and int(row["el"]) < 2:
                found[int(row["vmid"])].append((int(row["start_ns"]), int(after["start_ns"]),
                                                int(row["cid"])))
    return {vmid: sorted(rows) for vmid, rows in found.items()}


def _runs_from(rows, time):
    """The first time at or after `time` that the guest has a core."""
    for begin, end, _ in rows[max(0, bisect.bisect_left(rows, (time,)) - 2):]:
        if end > time:
            return max(begin, time)
    return None


def _turns_to(rows, context, time):
    """The first time after `time` that the guest's context ID becomes `context`."""
    for before, row in zip(rows, rows[1:]):
        if row[0] >= time and row[2] == context != before[2]:
            return row[0]
    return None


def truth(folder, frontend, backend):
    """One dictionary a request that began and ended in the window: each of STAGES in ns of the
    machine. `frontend` and `backend` are (VMID, context ID of its first task)."""
    rows = _guest_time(folder, (frontend[0], backend[0]))
    begins, answers = _sends(folder, frontend[0]), _sends(folder, backend[0])
    found = []
    for begin in begins:
        at = bisect.bisect_left(answers, begin)
        answer = answers[at] if at < len(answers) else None
        if answer is None:
            continue
        request = {"t0": begin, "t2": _runs_from(rows[backend[0]], begin),
                   "t4": _turns_to(rows[backend[0]], backend[1] + 1, begin), "t5": answer,
                   "t7": _runs_from(rows[frontend[0]], answer),
                   "t8": _turns_to(rows[frontend[0]], frontend[1], answer)}
        if None not in request.values():
            found.append(request)
    return found


def recorded(path):
    """The recording's requests, oldest first, in ns of the machine; absent times are None."""
    with sqlite3.connect(path) as recording:
        recording.row_factory = sqlite3.Row
        meta = dict(recording.execute("SELECT key, value FROM meta").fetchall())
        origin = int(meta["window_start_ticks"]) * 1000000000 // int(meta["timestamp_hz"])
        found = []
        for row in recording.execute("SELECT * FROM v_request ORDER BY request"):
            request = dict(row)
            for stage in range(9):
                name = f"t{stage}_ns"
                request[f"t{stage}"] = None if row[name] is None else row[name] + origin
            found.append(request)
        return found


def compare(expected, found):
    """Each expected request with the recorded one whose t0 is nearest, and per stage the
    differences of what was recorded, in ns."""
    starts = sorted((request["t0"], i) for i, request in enumerate(found)
                    if request["t0"] is not None)
    pairs = []
    for request in expected:
        at = bisect.bisect_left(starts, (request["t0"],))
        near = starts[max(0, at - 1):at + 1]
        best = min(near, key=lambda start, t0=request["t0"]: abs(start[0] - t0), default=None)
        pairs.append((request, None if best is None else found[best[1]]))
    errors = {stage: [other[stage] - request[stage] for request, other in pairs
                      if other is not None and other[stage] is not None] for stage in STAGES}
    return pairs, errors
