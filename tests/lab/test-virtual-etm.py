#!/usr/bin/python3
"""lab-virtual-etm: the virtual ETM on real Xen against the truth, instruction by instruction.

Boot and steady state on four cores, decoded by OpenCSD's full decode; the hypervisor alone;
hvscope's accounts of cycles and of the hypervisor's time beside the truth's. Skips, saying why,
where the packages cannot be had.
"""

import collections
import csv
import functools
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
from lablib import paths, scenario  # noqa: E402
from lablib.window import Window  # noqa: E402
from tap import Skip, expect, main  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="hvscope-lab-etm-"))
NAME = "overcommit"
STEADY = 1250 * 10**6
RETURN_STACK = "configr=0x18d1"
HYPERVISOR = f"{RETURN_STACK},victlr=0x3b0201,ccctlr=16"
# An owner with less than this many cycles is compared in absolute terms.
SMALL_CYCLES = 100000


def window(name, start, length, options="", machine="virt2", also=None, **kinds):
    paths.prepare()
    loaded = scenario.load(NAME)
    loaded.machine = machine
    recorded = Window(loaded, FOLDER / name, start, length, options, also)
    recorded.record(**kinds)
    return recorded


def same(name, start, length, machine, options=""):
    def case():
        recorded = window(name, start, length, options, machine)
        print("# " + recorded.compare().strip().replace("\n", "\n# "), flush=True)
        found = recorded.figures()
        bits = 8 * recorded.trace_bytes() / found["instructions_traced"]
        print(f"# {bits:.2f} bits an instruction, {found}", flush=True)
        expect(found["flow_gaps"] == 0, f"{found['flow_gaps']} gaps")
        expect(found["code_conflicts"] == 0, f"{found['code_conflicts']} conflicts of code")
    return case


def decode(recorded, name):
    program = pathlib.Path(os.environ.get("HVSCOPE_BUILD_ROOT", "build")) / "cli" / "hvscope"
    if not program.exists():
        raise Skip(f"{program} is not built")
    out = recorded.folder / f"{name}.hvs"
    subprocess.run([str(program), "decode", str(recorded.folder / name), "-o", str(out)],
                   check=True, stdout=subprocess.DEVNULL)
    return sqlite3.connect(out)


def range_options():
    """TRCACVRs for Xen's vectors, its way back to the guest, where it sets the VMID, and its
    switch from one vCPU to the next; nothing where Xen has no symbols."""
    syms = paths.CACHE / "xen" / "xen-syms"
    if not syms.exists():
        return None
    found = {}
    for line in subprocess.run([paths.tool("aarch64-linux-gnu-nm"), "-S", str(syms)], check=True,
                               capture_output=True, text=True).stdout.splitlines():
        fields = line.split()
        size = int(fields[1], 16) if len(fields) == 4 else 0
        found[fields[-1]] = (int(fields[0], 16), size)
    vectors = found["hyp_traps_vector"][0]
    ranges = [(vectors, vectors + 0x7FC),
              (found["return_from_trap"][0], found["check_pending_guest_serror"][0] - 4)]
    for name in ("p2m_restore_state", "context_switch"):
        ranges.append((found[name][0], sum(found[name]) - 4))
    return ",".join(f"acvr{2 * i}={first:#x},acvr{2 * i + 1}={last:#x}"
                    for i, (first, last) in enumerate(ranges)) + ",viiectlr=15"


@functools.lru_cache
def steady():
    """One window twice: cycles counted in small steps, and as by default."""
    return window("accounts", STEADY, 20 * 10**6, "ccctlr=16", also={"default": ""}, insns=False)


def truth_of(recorded):
    totals = collections.Counter()
    with open(recorded.folder / "truth" / "totals.csv", encoding="ascii") as file:
        for row in csv.DictReader(file):
            totals[tuple(int(row[key]) for key in ("core", "el", "vmid", "cid"))] += \
                int(row["instructions"])
    return totals


def accounts(name):
    """Cycles per (core, EL, VMID, context ID) within 0.1 % of the truth."""
    def case():
        truth = truth_of(steady())
        found = collections.Counter()
        for core, el, vmid, cid, cycles in decode(steady(), name).execute(
                "SELECT core, el, vmid, context_id, cycles FROM account JOIN owner USING (owner) "
                "WHERE el IS NOT NULL"):
            found[core, el, vmid, cid] += cycles
        worst = 0.0
        for key, cycles in truth.items():
            off = abs(found[key] - cycles)
            worst = max(worst, off / max(cycles, SMALL_CYCLES))
        print(f"# {len(truth)} owners, the worst is {100 * worst:.3f} % off", flush=True)
        expect(worst <= 0.001, f"an owner is {100 * worst:.3f} % off")
        off = abs(sum(found.values()) - sum(truth.values()))
        expect(off < 0.0001 * sum(truth.values()), "sum")
    return case


def hypervisor_time(recorded):
    """VMID to nanoseconds in EL2 by the truth of a single core."""
    total = collections.Counter()
    with open(recorded.folder / "truth" / "intervals.csv", encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    for row, following in zip(rows, rows[1:]):
        if row["el"] == "2":
            total[int(row["vmid"])] += int(following["start_ns"]) - int(row["start_ns"])
    return total


def hypervisor_ranges():
    """EL2 in four address ranges: at least 20 times smaller, time in EL2 per VMID within 1 % of
    the truth, and all of the guests' bracketed. On one core, as the emulator's turns make
    several wait in the midst of the hypervisor."""
    paths.prepare()
    ranges = range_options()
    if not ranges:
        raise Skip("Xen was not built from source: no symbols")
    recorded = window("ranges", STEADY, 20 * 10**6, RETURN_STACK, "virt1", insns=False,
                      also={"ranges": f"{HYPERVISOR},{ranges}"})
    database = decode(recorded, "ranges")
    found = dict(database.execute(
        "SELECT vmid, sum(duration_ns) FROM span JOIN owner USING (owner) "
        "WHERE class IN ('hypervisor', 'idle') GROUP BY vmid"))
    others = database.execute(
        "SELECT class, certainty, sum(duration_ns) FROM span JOIN owner USING (owner) "
        "WHERE class NOT IN ('hypervisor', 'idle', 'unknown') GROUP BY 1, 2").fetchall()
    whole, small = recorded.trace_bytes(), recorded.trace_bytes("ranges")
    print(f"# {whole} and {small} bytes: {whole / small:.1f} times smaller; {others}", flush=True)
    for vmid, truth_ns in sorted(hypervisor_time(recorded).items()):
        off = abs(found.get(vmid, 0) - truth_ns) / truth_ns
        print(f"# VMID {vmid}: {truth_ns} ns in EL2, {100 * off:.3f} % off", flush=True)
        expect(off <= 0.01, f"VMID {vmid} is {100 * off:.3f} % off")
    expect(whole >= 20 * small, f"{whole} and {small} bytes")
    expect([(kind, certainty) for kind, certainty, _ in others] == [("guest", 1)],
           f"guests are bracketed and nothing is lost: {others}")


def hypervisor_only():
    recorded = window("el2", STEADY, 10 * 10**6, HYPERVISOR)
    compared = recorded.compare("--el", "2")
    print("# " + compared.strip().replace("\n", "\n# "), flush=True)
    expect(recorded.figures()["instructions_filtered"] > 0, "the guests are filtered out")


if __name__ == "__main__":
    try:
        main([
            ("boot, 5 million instructions", same("boot", 0, 5 * 10**6, "virt4")),
            ("boot with domains", same("domains", 130 * 10**6, 20 * 10**6, "virt4")),
            ("steady state, 10 million on four cores",
             same("steady", STEADY + 250 * 10**6, 11 * 10**6, "virt4", RETURN_STACK)),
            ("accounts", accounts("capture")),
            ("accounts, cycles counted as by default", accounts("default")),
            ("hypervisor in address ranges", hypervisor_ranges),
            ("hypervisor only", hypervisor_only),
        ])
    finally:
        shutil.rmtree(FOLDER)
