"""Exits of a recording against the truth: how many, why, and what the hypervisor spent.

The truth plugin logs each entry to EL2 with ESR_EL2 (entries.csv) and what ran when, so a
visit is all of EL2 between two guests on one core. Time is counted in cycles.
"""

import collections
import csv
import sqlite3

# Offsets of the vectors for exceptions from a lower level, Arm DDI 0487 D1.3.1.
LOWER_SYNC, LOWER_IRQ, LOWER_FIQ, LOWER_SERROR = 0x400, 0x480, 0x500, 0x580
# ESR_ELx.EC, Arm DDI 0487 D17.2.37, as the names of v_exit.reason.
CLASSES = {0x01: "wfi", 0x12: "call", 0x13: "call", 0x16: "call", 0x17: "call",
           0x20: "inst-abort", 0x24: "data-abort", 0x30: "debug", 0x32: "debug", 0x34: "debug"}


def _reason(offset, esr):
    if offset == LOWER_SYNC:
        return CLASSES.get(esr >> 26 & 0x3f, "trap")
    return {LOWER_IRQ: "irq", LOWER_FIQ: "fiq", LOWER_SERROR: "serror"}[offset]


def _rows(path):
    with open(path, newline="", encoding="ascii") as file:
        yield from csv.DictReader(file)


def truth(folder):
    """Exits of each core in order: (core, vmid, reason, cycles, whole). The last one of a
    core may not be whole, nor is EL2 before its first guest an exit."""
    entries = collections.defaultdict(list)
    for row in _rows(folder / "truth" / "entries.csv"):
        if int(row["offset"], 16) >= LOWER_SYNC:
            entries[int(row["core"])].append((int(row["insn"]),
                                              _reason(int(row["offset"], 16),
                                                      int(row["esr"], 16))))
    intervals = collections.defaultdict(list)
    for row in _rows(folder / "truth" / "intervals.csv"):
        intervals[int(row["core"])].append((int(row["start_insn"]), int(row["el"]),
                                            int(row["vmid"]), int(row["instructions"])))
    found = []
    for core, rows in intervals.items():
        reasons = dict(entries[core])
        guest, visit = None, None
        for start, level, vmid, instructions in sorted(rows):
            if level < 2:
                if visit:
                    found.append((*visit, True))
                guest, visit = vmid, None
                continue
            if start in reasons and guest is not None:
                # An exit whose guest executed nothing since the entry before it.
                if visit:
                    found.append((*visit, True))
                visit = (core, guest, reasons[start], 0)
            if visit:
                visit = (*visit[:3], visit[3] + instructions)
        if visit:
            found.append((*visit, False))
    return found


def decoded(recording_path):
    """The same of a recording."""
    with sqlite3.connect(recording_path) as recording:
        return [(core, vmid, reason, cycles, ended != "lost")
                for core, vmid, reason, cycles, ended in recording.execute(
                    "SELECT core, vmid, reason, cycles, ended FROM v_exit")]


def sums(exits):
    """(vmid, reason) to (count, cycles) of the whole ones."""
    found = collections.defaultdict(lambda: [0, 0])
    for _, vmid, reason, cycles, whole in exits:
        if whole:
            found[(vmid, reason)][0] += 1
            found[(vmid, reason)][1] += cycles
    return {key: tuple(value) for key, value in found.items()}
