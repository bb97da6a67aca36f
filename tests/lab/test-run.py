#!/usr/bin/python3
"""lab-run: scenarios end to end on the real thing.

Boots Xen with Dom0 and two Linux guests twice, traced, and expects the same bytes; decodes
the trace and compares the account with the truth plugin's; looks into the frozen dump.
Then the frontend and backend pair: requests served, their STM markers in order, and every
request with its stages against the truth, with markers and without.

Skips, saying why, where the packages cannot be had. The runs are kept in a temporary
folder; the cache of packages and builds is the lab's.
"""

import os
import pathlib
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
from lablib import account, exits, paths, requests, scenario, vcpus  # noqa: E402
from lablib.machine import MIB  # noqa: E402
from lablib.run import Run  # noqa: E402
from tap import Skip, expect, main  # noqa: E402

RUNS = pathlib.Path(tempfile.mkdtemp(prefix="hvscope-lab-"))
HVSCOPE = pathlib.Path(os.environ.get("HVSCOPE_BUILD_ROOT", paths.ROOT / "build")) / "hvscope"


def ready(label):
    folder = RUNS / label
    if not (folder / "run.json").exists():
        raise Skip(f"the run {label} did not come to its end")
    return folder


def run(name, label):
    def case():
        paths.prepare()
        result = Run(scenario.load(name), RUNS / label).execute()
        expect(result["frozen_insns"] >= result["stop_insns"], "the freeze is after the window")
    return case


def same():
    first, second = ready("first"), ready("second")
    files = [path.relative_to(first) for path in sorted(first.rglob("*"))
             if path.is_file() and path.name not in ("qemu.log", "boot.dts", "frozen")]
    expect(pathlib.Path("capture/cstrace.bin") in files, "there is a trace")
    for name in files:
        expect((first / name).read_bytes() == (second / name).read_bytes(),
               f"{name} differs between two runs")


def equals_truth():
    """Cycles per (core, EL, VMID, context ID). The trace counts cycles in steps of 256
    (TRCCCCTLR), so a small row may be off by some steps."""
    folder = ready("first")
    expected, found = account.truth(folder), account.decoded(str(HVSCOPE), folder)
    lines, worst = account.differences(expected, found, 0.01, 3000)
    expect(not lines, f"{len(lines)} rows differ: " + "; ".join(lines[:5]))
    total = sum(expected.values())
    expect(abs(sum(found.values()) - total) < total / 1000, "the sum is within 0.1 %")
    expect({key[2] for key in found} >= {1, 2, 3}, "all three domains ran")
    print(f"# {total} instructions, {len(expected)} rows, the largest difference is "
          f"{worst:.5%} of the window")


def exits_equal_truth():
    """How many exits of each domain, why, and the hypervisor's cycles for them."""
    folder = ready("first")
    account.decoded(str(HVSCOPE), folder)
    expected = exits.sums(exits.truth(folder))
    found = exits.sums(exits.decoded(folder / "recording.hvs"))
    expect({key: value[0] for key, value in expected.items()} ==
           {key: value[0] for key, value in found.items()},
           f"counts by domain and reason: truth {expected}, decoded {found}")
    for vmid in {key[0] for key in expected}:
        want, got = (sum(value[1] for key, value in sums.items() if key[0] == vmid)
                     for sums in (expected, found))
        expect(abs(got - want) <= want / 100, f"VMID {vmid}: {want} cycles, decoded {got}")
        print(f"# VMID {vmid}: {want} cycles of the hypervisor, {(got - want) / want:+.2%}")


def vcpus_equal_truth():
    """Which vCPU it was: from the trace alone, with the system file, and with a names file
    made of the dump."""
    folder = ready("first")
    system = ["--system", str(folder / "system.ini")]
    names = folder / "names.ini"
    account.call([str(HVSCOPE), "names", "--target", f"core:{folder / 'dump.core'}", *system,
                  "-o", str(names)])
    for what, options, least in (("trace alone", [], 0.9), ("system file", system, 0.99),
                                 ("names", [*system, "--names", str(names)], 0.99)):
        recording = folder / "vcpus.hvs"
        account.call([str(HVSCOPE), "decode", str(folder / "capture"), "-o", str(recording),
                      *options])
        score = vcpus.Score()
        score.add(vcpus.runs(folder, recording))
        recording.unlink()
        expect(score.exact_wrong == 0, f"{what}: {score.exact_wrong} exact ones are wrong")
        expect(score.identified() >= least,
               f"{what}: {score.identified():.2%} of guest time identified")
        sure = score.bins[0.999]
        expect(sure[4] >= 0.999 * sure[3], f"{what}: sure and wrong: {sure}")
        print(f"# {what}: {score.identified():.2%} of guest time identified, {score.exact} "
              f"exact, {sure[1]} of {sure[0]} sure ones right")


def dump_is_whole():
    """The core's note and RAM, read back with nothing of the writer's."""
    folder = ready("first")
    with open(folder / "dump.core", "rb") as core:
        head = core.read(64)
        expect(head[:4] == b"\x7fELF" and struct.unpack_from("<HH", head, 16) == (4, 183),
               "an AArch64 ELF core")
        note, load = (struct.unpack("<IIQQQQQQ", core.read(56)) for _ in range(2))
        core.seek(note[2])
        notes = core.read(note[5])
        core.seek(load[2])
        ram = core.read(load[5])
    expect(load[4] == 0x40000000 and len(ram) == 512 << 20, "512 MiB of RAM from 1 GiB")
    expect(notes.count(b"CORE\0") == 2 and b"HVSCOPE\0" in notes, "two cores and our note")
    for register in (b"VTTBR_EL2", b"TTBR0_EL2", b"CONTEXTIDR_EL1", b"TPIDR_EL2"):
        expect(notes.count(b'"' + register + b'"') == 2, f"{register} of both cores")
    for marker in (b"LABXEN-MARKER:dom0_sleep:", b"LABXEN-MARKER:linux1_threads:",
                   b"LABXEN-MARKER:linux2_fork:"):
        expect(marker in ram, f"{marker.decode()} is nowhere in the RAM")


def requests_were_served():
    """The shared page of the pair: the ring's counters, guests/ring.h."""
    with open(ready("pair") / "dump.core", "rb") as core:
        core.seek(64 + 56)
        load = struct.unpack("<IIQQQQQQ", core.read(56))
        core.seek(load[2] + load[5] - 2 * MIB)
        is_ready, requests, responses = struct.unpack("<3I", core.read(12))
    expect(is_ready == 1, "the backend is ready")
    expect(requests >= 10 and 0 <= requests - responses <= 1,
           f"{requests} requests and {responses} responses")
    print(f"# {requests} requests, {responses} responses")


# guests/ring.h: the steps of one request, in their only possible order.
STEPS = (1, 2, 3, 4, 5, 6)


def markers_in_order():
    """Every request within the window has each of its steps once and in order."""
    folder = ready("pair")
    account.decoded(str(HVSCOPE), folder)
    with sqlite3.connect(folder / "recording.hvs") as recording:
        rows = recording.execute("SELECT channel, payload FROM stm WHERE kind = 'data' "
                                 "ORDER BY seq").fetchall()
    values = [(channel, int.from_bytes(payload, "little")) for channel, payload in rows]
    steps = {}
    for channel, value in values:
        if value >> 24 in STEPS:
            steps.setdefault(value & 0xffffff, []).append((value >> 24, channel))
    expect(len(steps) >= 10, f"markers of {len(steps)} requests only")
    for number in sorted(steps)[1:-1]:
        expect(tuple(step for step, _ in steps[number]) == STEPS,
               f"request {number} went through {steps[number]}")
        expect({channel for step, channel in steps[number] if step in (3, 4, 5)} == {3},
               f"request {number}: the backend's steps come from its channel")
    print(f"# {len(values)} markers of {len(steps)} requests")


FRONTEND, BACKEND = (3, 0x200), (4, 0x300)  # VMID and first context ID in backend-load
CLOSE_NS = 2000


def all_found(recording, stages):
    """Every request of the truth is one of the recording's, and of each stage at least 98 %
    are within CLOSE_NS; those of `stages` all are."""
    expected = requests.truth(ready("pair"), FRONTEND, BACKEND)
    found = requests.recorded(recording)
    pairs, errors = requests.compare(expected, found)
    expect(len(expected) >= 100, f"{len(expected)} requests only")
    expect(len({id(other) for _, other in pairs}) == len(expected),
           "each request of the truth is one of its own")
    for stage, differences in errors.items():
        close = sum(abs(difference) <= CLOSE_NS for difference in differences)
        expect(close >= (1 if stage in stages else 0.98) * len(expected),
               f"{stage}: {close} of {len(expected)} are within {CLOSE_NS} ns")
    worst = ", ".join(f"{stage} {max(map(abs, differences))}"
                      for stage, differences in errors.items())
    print(f"# {len(expected)} requests, largest differences in ns: {worst}")
    return pairs


def requests_equal_truth():
    pairs = all_found(ready("pair") / "recording.hvs", ("t0", "t4", "t5", "t8"))
    expect(all(other["known"] == "exact" for _, other in pairs), "all of it is exact")


def requests_without_markers():
    """The same with the markers taken away: found and timed by hypercalls and tasks."""
    folder = ready("pair")
    lines = (folder / "system.ini").read_text().replace("stm_channels=", "stm_channels=6000")
    (folder / "unmarked.ini").write_text(lines)
    recording = folder / "unmarked.hvs"
    subprocess.run([str(HVSCOPE), "decode", str(folder / "capture"), "-o", str(recording),
                    "--system", str(folder / "unmarked.ini")], check=True, capture_output=True)
    pairs = all_found(recording, ())
    expect(all(other["known"] == "inferred" for _, other in pairs), "all of it is inferred")
    expect(all(other["number"] is None for _, other in pairs), "no numbers without markers")


try:
    main([("lab-run/first", run("overcommit", "first")),
          ("lab-run/second", run("overcommit", "second")),
          ("lab-run/byte-identical", same), ("lab-run/equals-truth", equals_truth),
          ("lab-run/exits-equal-truth", exits_equal_truth),
          ("lab-run/vcpus-equal-truth", vcpus_equal_truth),
          ("lab-run/dump-is-whole", dump_is_whole),
          ("lab-run/pair", run("backend-load", "pair")),
          ("lab-run/requests-were-served", requests_were_served),
          ("lab-run/markers-in-order", markers_in_order),
          ("lab-run/requests-equal-truth", requests_equal_truth),
          ("lab-run/requests-without-markers", requests_without_markers)])
finally:
    shutil.rmtree(RUNS, ignore_errors=True)
