"""Builds what runs in the domains: the bare-metal guests, and Linux's initramfs.

Everything goes into one folder of the cache named after a hash of the sources
and the compiler's version, so that a change builds anew and a rerun does not.
"""

import hashlib
import os
import stat
import struct
import subprocess
import tempfile

from .paths import CACHE, LAB, LabError, one, tool
from .scenario import BARE

BARE_FLAGS = ["-std=gnu17", "-Wall", "-Wextra", "-O2", "-g", "-ffreestanding", "-nostdlib",
              "-static", "-fno-pie", "-no-pie", "-mgeneral-regs-only", "-mstrict-align", "-mno-outline-atomics",
              "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-mcpu=cortex-a53",
              "-Wl,--build-id=sha1", "-Wl,--no-warn-rwx-segments"]
LINUX_FLAGS = ["-std=gnu17", "-Wall", "-Wextra", "-O2", "-g", "-static", "-no-pie", "-pthread"]
CONFIG_OFFSET = 64


def _sources():
    return sorted((LAB / "guests").iterdir()) + sorted((LAB / "linux").iterdir())


def _run(command):
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise LabError(f"lab: {command[0]} failed: {result.stderr.strip()}")
    return result.stdout


def build():
    """Returns the folder with KIND.elf, KIND.bin, worker and initramfs."""
    digest = hashlib.sha256(_run([tool("aarch64-linux-gnu-gcc"), "--version"]).encode())
    digest.update(one("arm64/bin/busybox", "busybox").read_bytes())
    digest.update(open(__file__, "rb").read())
    for source in _sources():
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    folder = CACHE / f"guests-{digest.hexdigest()[:16]}"
    if folder.exists():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        sources = LAB / "guests"
        for kind in BARE:
            files = [sources / "start.S", sources / "guest.c", sources / "interrupts.c",
                     sources / f"{kind}.c"]
            if kind in ("frontend", "backend"):
                files.append(sources / "events.c")
            elf = f"{work}/{kind}.elf"
            _run([tool("aarch64-linux-gnu-gcc"), *BARE_FLAGS, f"-ffile-prefix-map={LAB}=lab",
                  "-T", str(sources / "guest.ld"), "-o", elf, *map(str, files)])
            _run([tool("aarch64-linux-gnu-objcopy"), "-O", "binary", elf, f"{work}/{kind}.bin"])
        _run([tool("aarch64-linux-gnu-gcc"), *LINUX_FLAGS, f"-ffile-prefix-map={LAB}=lab",
              "-o", f"{work}/worker", str(LAB / "linux" / "worker.c")])
        with open(f"{work}/initramfs", "wb") as out:
            out.write(_initramfs(open(f"{work}/worker", "rb").read()))
        os.chmod(work, 0o755)
        try:
            os.rename(work, folder)
        except OSError:
            if not folder.exists():
                raise
        else:
            os.mkdir(work)
    return folder


def _initramfs(worker):
    """A cpio archive (newc) whose bytes depend on its contents only."""
    busybox = one("arm64/bin/busybox", "busybox").read_bytes()
    init = (LAB / "linux" / "init").read_bytes()
    directory, program = stat.S_IFDIR | 0o755, stat.S_IFREG | 0o755
    entries = [("bin", directory, b"", 0), ("dev", directory, b"", 0), ("proc", directory, b"", 0),
               ("dev/console", stat.S_IFCHR | 0o600, b"", (5, 1)),
               ("dev/null", stat.S_IFCHR | 0o666, b"", (1, 3)),
               ("bin/busybox", program, busybox, 0), ("worker", program, worker, 0),
               ("init", program, init, 0), ("TRAILER!!!", 0, b"", 0)]
    out = b""
    for inode, (name, mode, data, device) in enumerate(entries, 1):
        major, minor = device or (0, 0)
        path = name.encode() + b"\0"
        fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, major, minor, len(path), 0)
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + path
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return out


def image(folder, domain, gic_version, event_port):
    """A bare-metal guest's image with its configuration (guest.h) filled in."""
    data = bytearray((folder / f"{domain.kind}.bin").read_bytes())
    values = (gic_version, domain.index, domain.work_loops, domain.think_loops,
              domain.stop_after, event_port, domain.context_base, domain.start_ms,
              domain.period_us, domain.no_markers, domain.ramp_step, domain.ramp_phases,
              domain.ramp_rounds, domain.ramp_ms)
    struct.pack_into("<14Q", data, CONFIG_OFFSET, *values)
    return bytes(data)
