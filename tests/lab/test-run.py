#!/usr/bin/python3
"""lab-run: one scenario end to end, twice, on the real thing.

Skips, saying why, where the packages cannot be had. The runs are kept in a temporary
folder; the cache of packages and builds is the lab's.
"""

import pathlib
import shutil
import struct
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
from lablib import paths, scenario  # noqa: E402
from lablib.run import Run  # noqa: E402
from tap import Skip, expect, main  # noqa: E402

NAME = "demo"
RUNS = pathlib.Path(tempfile.mkdtemp(prefix="hvscope-lab-"))


def ready(number):
    folder = RUNS / f"{NAME}-{number}"
    if not (folder / "run.json").exists():
        raise Skip(f"run {number} did not come to its end")
    return folder


def run(number):
    def case():
        paths.prepare()
        result = Run(scenario.load(NAME), RUNS / f"{NAME}-{number}").execute(traced=False)
        expect(result["frozen_insns"] >= result["stop_insns"], "the freeze is after the window")
    return case


def same():
    first, second = ready(1), ready(2)
    for name in ("console.log", "state.json", "dump.core", "run.json", "system.ini"):
        expect((first / name).read_bytes() == (second / name).read_bytes(),
               f"{name} differs between two runs")


def dump_is_whole():
    """The core's note and RAM, read back with nothing of the writer's."""
    folder = ready(1)
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
                   b"LABXEN-MARKER:producer", b"LABXEN-MARKER:dispatch"):
        expect(marker in ram, f"{marker.decode()} is nowhere in the RAM")


def requests_were_served():
    """The shared page of the pair: the ring's counters, guests/ring.h."""
    with open(ready(1) / "dump.core", "rb") as core:
        core.seek(64 + 56)
        load = struct.unpack("<IIQQQQQQ", core.read(56))
        core.seek(load[2] + (512 - 2 << 20))
        is_ready, requests, responses = struct.unpack("<3I", core.read(12))
    expect(is_ready == 1, "the backend is ready")
    expect(requests >= 10 and 0 <= requests - responses <= 1,
           f"{requests} requests and {responses} responses")
    print(f"# {requests} requests, {responses} responses")


try:
    main([("lab-run/first", run(1)), ("lab-run/second", run(2)),
          ("lab-run/byte-identical", same), ("lab-run/dump-is-whole", dump_is_whole),
          ("lab-run/requests-were-served", requests_were_served)])
finally:
    shutil.rmtree(RUNS, ignore_errors=True)
