#!/usr/bin/python3
"""capture-virtual-etm-guest: the plugin in a real QEMU with bare-metal guests.

What the trace says, decoded by OpenCSD, against an independent log of every instruction;
filters, STM, determinism, and `hvscope capture --link qemu`. Skips, saying why, where QEMU 10
cannot be had.
"""

import os
import pathlib
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lab"))
# pylint: disable=wrong-import-position
from lablib import paths  # noqa: E402
from lablib.run import etm_plugin, truth_plugin  # noqa: E402
from lablib.window import build_compare  # noqa: E402
from tap import Skip, expect, main  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="hvscope-etm-"))
STM = "stm=0x20000000:0x1000000"
RETURN_STACK = "configr=0x18d1"
MACHINE = ["-M", "virt,virtualization=on,gic-version=3", "-cpu", "cortex-a53", "-m", "3G",
           "-display", "none", "-serial", "null", "-monitor", "none", "-nic", "none"]


def guest(name, *sources):
    out = FOLDER / name
    if not out.exists():
        subprocess.run(
            [paths.tool("aarch64-linux-gnu-gcc"), "-O2", "-ffreestanding", "-nostdlib", "-no-pie",
             "-fno-pic", "-mgeneral-regs-only", "-fno-stack-protector",
             f"-Wl,-T,{HERE / 'guest.ld'}", "-Wl,--build-id=none,--no-warn-rwx-segments",
             "-o", str(out), *(str(HERE / source) for source in sources)], check=True)
    return out


def record(name, cores, length, options="", start=0, truth=True, image=None):
    """Returns the folder with capture/ and truth/."""
    paths.prepare()
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    stop = start + length
    plugins = ["-plugin", f"{etm_plugin()},out={folder / 'capture'},shift=2,exit=on,"
                          f"start=insn:{start},stop=insn:{stop}" + (options and f",{options}")]
    if truth:
        plugins += ["-plugin", f"{truth_plugin()},out={folder / 'truth'},shift=2,from={start},"
                               f"to={stop},insns=on"]
    image = image or guest("guest.elf", "guest-start.S", "guest.c")
    result = subprocess.run(
        [paths.tool("qemu-system-aarch64"), *MACHINE, "-smp", str(cores), "-icount",
         "shift=2,sleep=off", "-kernel", str(image), *plugins],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=500, check=False)
    expect((folder / "capture" / "snapshot.ini").exists(), f"no capture: {result.stderr}")
    return folder


def figures(folder):
    lines = (folder / "capture" / "capture.ini").read_text().splitlines()
    pairs = [line.split("=") for line in lines if "=" in line]
    return {key: int(value) for key, value in pairs if value.isdigit()}


def compare(folder, *options):
    result = subprocess.run([str(build_compare()), *options, str(folder / "capture"),
                             str(folder / "truth")], capture_output=True, text=True, check=False)
    expect(result.returncode == 0, result.stdout + result.stderr)
    return result.stdout


def same(name, cores, options="", start=0, length=3000000):
    def case():
        folder = record(name, cores, length, options, start)
        found = figures(folder)
        print("# " + compare(folder).replace("\n", "\n# "), flush=True)
        expect(found["flow_gaps"] == 0, f"{found['flow_gaps']} gaps")
        expect(found["flow_mmio_restarts"] > 100, "the guest restarts blocks at MMIO")
        expect(found["exceptions"] > 1000, "the guest takes exceptions")
        expect(found["time_correction_max_ns"] < 1000, f"the time is off by {found}")
    return case


def nested():
    """Exceptions on top of exceptions do come up in the guest."""
    expect(figures(record("nested", 4, 10000000, truth=False))["flow_nested_exceptions"] > 0,
           "no nested exception in ten million instructions")


def hypervisor_only():
    folder = record("el2", 2, 3000000, "victlr=0x3b0201")
    print("# " + compare(folder, "--el", "2").replace("\n", "\n# "), flush=True)
    found = figures(folder)
    expect(found["instructions_filtered"] > found["instructions_traced"] > 0, str(found))


def address_range():
    """Only the handler of hypercalls, and then all but it."""
    image = guest("guest.elf", "guest-start.S", "guest.c")
    names = subprocess.run([paths.tool("aarch64-linux-gnu-nm"), "-S", str(image)],
                           capture_output=True, text=True, check=True).stdout.split("\n")
    start, size = next(line.split()[:2] for line in names if line.endswith(" handle_el2_lower"))
    first, last = int(start, 16), int(start, 16) + int(size, 16) - 4
    ranges = f"acvr0={first:#x},acvr1={last:#x}"
    inside = figures(compared := record("include", 1, 2000000, f"{ranges},viiectlr=1"))
    compare(compared, "--filtered")
    outside = figures(compared := record("exclude", 1, 2000000, f"{ranges},viiectlr=0x10000"))
    compare(compared, "--filtered")
    expect(0 < inside["instructions_traced"] < outside["instructions_traced"], "the range matters")


def one_domain():
    """VMID 2 alone: the comparator over all addresses."""
    folder = record("vmid", 1, 2000000, "acvr1=0xffffffffffffffff,acatr0=8,acatr1=8,viiectlr=1,"
                                        "vmidcvr=2")
    compare(folder, "--filtered")
    whole = figures(folder)
    expect(whole["instructions_traced"] > 0 and whole["instructions_filtered"] > 0, str(whole))


def overflow():
    folder = record("overflow", 1, 1000000, "fifo=64:500")
    compare(folder, "--filtered")
    found = figures(folder)
    expect(found["overflows"] > 0 and found["instructions_lost"] > 0, str(found))


def deterministic():
    first, second = record("first", 4, 2000000, STM), record("second", 4, 2000000, STM)
    for name in sorted(os.listdir(first / "capture")):
        expect((first / "capture" / name).read_bytes() == (second / "capture" / name).read_bytes(),
               f"{name} differs between two runs")


def program(name):
    path = pathlib.Path(os.environ.get("HVSCOPE_BUILD_ROOT", ROOT / "build")) / "cli" / name
    if not path.exists():
        raise Skip(f"{path} is not built")
    return str(path)


def decode(folder):
    recording = folder / "recording.hvs"
    subprocess.run([program("hvscope"), "decode", str(folder / "capture"), "-o",
                    str(recording)], check=True, stdout=subprocess.DEVNULL)
    return sqlite3.connect(recording)


def markers():
    """100,000 markers of two cores come back in order, with master, channel and payload."""
    paths.prepare()
    image = guest("stm.elf", "guest-stm.S")
    folder = record("stm", 2, 10**9, f"{STM},victlr=0x7f0201", truth=False, image=image)
    rows = decode(folder).execute("SELECT master, channel, payload, timestamp FROM stm "
                                  "WHERE kind = 'data' ORDER BY seq").fetchall()
    expect(len(rows) == 100000, f"{len(rows)} markers")
    expected = {0x40: 0, 0x41: 0}
    for master, channel, payload, timestamp in rows:
        number = expected[master]
        expected[master] += 1
        expect(channel == number & 63, f"channel {channel} of marker {number}")
        value, = struct.unpack("<I", payload)
        expect(value == (master - 0x40) << 24 | number, f"payload {value:#x} of marker {number}")
        expect(number & 8 == 0 or timestamp == 0, f"marker {number} has a timestamp")
    expect(set(expected.values()) == {50000}, str(expected))


def command_line():
    """`hvscope capture --link qemu`, a window from a symbol's address on."""
    paths.prepare()
    out = FOLDER / "command"
    image = guest("guest.elf", "guest-start.S", "guest.c")
    result = subprocess.run(
        [program("hvscope"), "capture", "--link", "qemu", "--out", str(out), "--symbols",
         str(image), "--start", "el1_main@1", "--for", "1ms", "--plugin", str(etm_plugin()), "--",
         paths.tool("qemu-system-aarch64"), *MACHINE, "-smp", "2", "-kernel", str(image)],
        capture_output=True, text=True, timeout=100, check=False)
    expect(result.returncode == 0, result.stderr)
    expect("2 cores" in result.stdout, result.stdout)
    expect((out / "snapshot.ini").exists(), "a capture")


if __name__ == "__main__":
    try:
        main([
            ("one core", same("one", 1)),
            ("four cores", same("four", 4, length=10000000)),
            ("return stack", same("returns", 4, RETURN_STACK)),
            ("branch broadcast", same("broadcast", 2, "configr=0x8d9")),
            ("a late window", same("late", 4, start=2000000)),
            ("frequent synchronisation", same("sync", 2, f"syncpr=8,{RETURN_STACK}")),
            ("nested exceptions", nested),
            ("hypervisor only", hypervisor_only),
            ("address range", address_range),
            ("one domain", one_domain),
            ("overflow", overflow),
            ("deterministic", deterministic),
            ("a hundred thousand STM markers", markers),
            ("command line", command_line),
        ])
    finally:
        shutil.rmtree(FOLDER)
