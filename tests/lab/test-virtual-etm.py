#!/usr/bin/python3
"""lab-virtual-etm: the virtual ETM on real Xen against the truth, instruction by instruction.

Boot and steady state on four cores, decoded by OpenCSD's full decode; the hypervisor alone;
hvscope's accounts of cycles beside the truth's. Skips, saying why, where the packages cannot
be had.
"""

import collections
import csv
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


def window(name, start, length, options="", machine="virt2", **kinds):
    paths.prepare()
    loaded = scenario.load(NAME)
    loaded.machine = machine
    recorded = Window(loaded, FOLDER / name, start, length, options)
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


def decode(recorded):
    program = pathlib.Path(os.environ.get("HVSCOPE_BUILD_ROOT", "build")) / "cli" / "hvscope"
    if not program.exists():
        raise Skip(f"{program} is not built")
    out = recorded.folder / "recording.hvs"
    subprocess.run([str(program), "decode", str(recorded.folder / "capture"), "-o", str(out)],
                   check=True, stdout=subprocess.DEVNULL)
    return sqlite3.connect(out)


def truth_of(recorded):
    totals = collections.Counter()
    with open(recorded.folder / "truth" / "totals.csv", encoding="ascii") as file:
        for row in csv.DictReader(file):
            totals[tuple(int(row[key]) for key in ("core", "el", "vmid", "cid"))] += \
                int(row["instructions"])
    return totals


def accounts():
    """Cycles per (core, EL, VMID, context ID) within 0.1 % of the truth."""
    recorded = window("accounts", STEADY, 20 * 10**6, "ccctlr=16", insns=False)
    truth = truth_of(recorded)
    found = collections.Counter()
    for core, el, vmid, cid, cycles in decode(recorded).execute(
            "SELECT core, el, vmid, context_id, cycles FROM account JOIN owner USING (owner) "
            "WHERE el IS NOT NULL"):
        found[core, el, vmid, cid] += cycles
    worst = 0.0
    for key, cycles in truth.items():
        off = abs(found[key] - cycles)
        worst = max(worst, off / max(cycles, SMALL_CYCLES))
    print(f"# {len(truth)} owners, the worst is {100 * worst:.3f} % off", flush=True)
    expect(worst <= 0.001, f"an owner is {100 * worst:.3f} % off")
    expect(abs(sum(found.values()) - sum(truth.values())) < 0.0001 * sum(truth.values()), "sum")


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
            ("accounts", accounts),
            ("hypervisor only", hypervisor_only),
        ])
    finally:
        shutil.rmtree(FOLDER)
