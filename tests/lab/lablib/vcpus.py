"""What a recording says of vCPUs and exits against the truth plugin's log.

The truth knows a vCPU by its hypervisor stack, the recording by a number of its own: a number
stands for the stack that it shares the most guest time with.
"""

import bisect
import collections
import csv
import itertools
import sqlite3

# Lower ends of the confidence bins of a calibration table.
BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999)

KNOWN_INFERRED, KNOWN_EXACT = 1, 2


def _origin_ns(recording):
    """The recording's time 0 on the truth's clock."""
    meta = dict(recording.execute("SELECT key, value FROM meta"))
    return int(meta["window_start_ticks"]) * 1000000000 // int(meta["timestamp_hz"])


def _intervals(folder, origin_ns):
    """Per core: begins, and (begin, end, EL, VMID, vCPU's stack)."""
    found = collections.defaultdict(list)
    with open(folder / "truth" / "intervals.csv", newline="", encoding="ascii") as file:
        for row in csv.DictReader(file):
            begin = int(row["start_ns"]) - origin_ns
            found[int(row["core"])].append((begin, begin + 4 * int(row["instructions"]),
                                            int(row["el"]), int(row["vmid"]),
                                            int(row["vcpu"], 16)))
    return {core: ([row[0] for row in rows], rows) for core, rows in found.items()}


def _shares(intervals, core, vmid, begin, end):
    """Guest time of each stack on that core in that time."""
    begins, rows = intervals.get(core, ([], []))
    shares = collections.Counter()
    for row in rows[max(0, bisect.bisect_left(begins, begin) - 1):]:
        if row[0] >= end:
            break
        overlap = min(end, row[1]) - max(begin, row[0])
        if row[2] < 2 and row[3] == vmid and overlap > 0:
            shares[row[4]] += overlap
    return shares


def _assign(runs):
    """(VMID, number) to stack: of all ways to pair them the one with the most time."""
    times = collections.defaultdict(collections.Counter)
    for run in runs:
        if run["number"] is not None:
            times[run["vmid"]].update({(run["number"], stack): share
                                       for stack, share in run["shares"].items()})
    assigned = {}
    for vmid, shared in times.items():
        numbers = sorted({number for number, _ in shared})
        stacks = sorted({stack for _, stack in shared})
        stacks += [None] * (len(numbers) - len(stacks))
        best = max(itertools.permutations(stacks, len(numbers)),
                   key=lambda way, ns=numbers, s=shared: sum(s[pair] for pair in zip(ns, way)))
        assigned.update({(vmid, number): stack for number, stack in zip(numbers, best)})
    return assigned


def runs(folder, recording_path):
    """One dictionary a run of a vCPU: vmid, number, guest_ns, known, confidence, and
    right_ns, the part of it in which it was the vCPU that the recording says."""
    with sqlite3.connect(recording_path) as recording:
        intervals = _intervals(folder, _origin_ns(recording))
        found = []
        for vmid, number, begin, length, core, guest_ns, known, confidence in recording.execute(
                "SELECT vmid, number, start_ns, duration_ns, core, guest_ns, known, confidence "
                "FROM vcpu_run JOIN vcpu USING (vcpu) WHERE core IS NOT NULL"):
            found.append({"vmid": vmid, "number": number, "guest_ns": guest_ns, "known": known,
                          "confidence": confidence, "core": core, "start_ns": begin,
                          "shares": _shares(intervals, core, vmid, begin, begin + length)})
    assigned = _assign(found)
    for run in found:
        stack = assigned.get((run["vmid"], run["number"]))
        run["truth_ns"] = sum(run["shares"].values())
        run["right_ns"] = run["shares"].get(stack, 0)
        run["right"] = run["right_ns"] * 2 > run["truth_ns"]
    return [run for run in found if run["truth_ns"]]


class Score:
    """Sums over the runs of any number of recordings."""

    def __init__(self):
        self.guest_ns = self.identified_ns = 0
        self.exact = self.exact_wrong = 0
        # Per bin: runs, right ones, sum of confidence, time, right time.
        self.bins = {low: [0, 0, 0.0, 0, 0] for low in BINS}

    def add(self, found):
        for run in found:
            self.guest_ns += run["guest_ns"]
            if run["known"] == KNOWN_EXACT:
                self.exact += 1
                self.exact_wrong += run["right_ns"] < run["truth_ns"]
                self.identified_ns += run["guest_ns"]
                continue
            if run["known"] != KNOWN_INFERRED:
                continue
            self.identified_ns += run["guest_ns"] if run["confidence"] >= 0.95 else 0
            line = self.bins[max(low for low in BINS if low <= run["confidence"])]
            line[0] += 1
            line[1] += run["right"]
            line[2] += run["confidence"]
            line[3] += run["truth_ns"]
            line[4] += run["right_ns"]

    def identified(self):
        return self.identified_ns / self.guest_ns if self.guest_ns else 1.0

    def table(self):
        """Lines of the calibration table, for docs/internals/decode.md."""
        lines = ["| confidence | runs | mean confidence | right | guest time | right by time |",
                 "|---|---|---|---|---|---|"]
        for low, high in zip(BINS, BINS[1:] + (1,)):
            n, right, confidence, time_ns, right_ns = self.bins[low]
            if n:
                lines.append(f"| {low} to {high} | {n} | {confidence / n:.4f} | {right / n:.2%} | "
                             f"{time_ns / 1e6:.1f} ms | {right_ns / max(time_ns, 1):.2%} |")
        return lines
