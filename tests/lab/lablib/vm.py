"""A running QEMU: start, wait for the freeze, talk QMP, end.

Everything that could differ between two runs stays outside of the guest: the
machine starts paused, gets no input, and stops at a virtual time (freeze-plugin).
"""

import ctypes
import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

from .paths import CACHE, LAB, LabError, tool


_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _die_with_parent():
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def build_plugin(name, sources, includes=(), headers=()):
    """Compiles a QEMU plugin into the cache, unless these very sources were already."""
    sources = [pathlib.Path(source) for source in sources]
    digest = hashlib.sha256()
    for path in [*sources, *headers, CACHE / "include" / "qemu-plugin.h"]:
        digest.update(path.read_bytes())
    out = CACHE / "plugins" / f"{name}-{digest.hexdigest()[:16]}.so"
    if out.exists():
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "glib-2.0", "gio-2.0"],
                           capture_output=True, text=True, check=True).stdout.split()
    temporary = out.with_suffix(f".{os.getpid()}")
    result = subprocess.run(
        [os.environ.get("CC", "cc"), "-std=gnu17", "-O2", "-flto", "-g", "-Wall", "-Wextra",
         "-Wno-missing-field-initializers", "-shared", "-fPIC",
         "-fvisibility=hidden", "-D_GNU_SOURCE", '-DG_LOG_DOMAIN="virtual-etm"',
         f"-I{CACHE / 'include'}", *(f"-I{path}" for path in includes), "-o", str(temporary),
         *map(str, sources), *flags], capture_output=True, text=True, check=False)
    if result.returncode:
        raise LabError(f"lab: the plugin {name} does not build: {result.stderr.strip()}")
    os.replace(temporary, out)
    return out


class Vm:
    """One QEMU process. Use it as a context manager: leaving ends the process."""

    def __init__(self, machine, folder, freeze_insns=None, plugins=(), gdb=None):
        self.machine = machine
        self.folder = folder
        self.done = folder / "frozen"
        self.console_path = folder / "console.log"
        self.qmp_path = folder / "qmp"
        self.gdb_path = gdb or folder / "gdb"
        for stale in (self.done, self.qmp_path, self.console_path):
            stale.unlink(missing_ok=True)
        self.command = [tool("qemu-system-aarch64"), *machine.qemu_arguments(),
                        "-chardev", f"file,id=console,path={self.console_path}",
                        "-serial", "chardev:console",
                        "-qmp", f"unix:{self.qmp_path},server=on,wait=off",
                        "-chardev", f"socket,id=gdb,path={self.gdb_path},server=on,wait=off",
                        "-gdb", "chardev:gdb"]
        if freeze_insns is not None:
            freeze = build_plugin("freeze", [LAB / "freeze-plugin.c"])
            self.command += ["-plugin", f"{freeze},at_insns={freeze_insns},done={self.done}"]
        for plugin in plugins:
            self.command += ["-plugin", plugin]
        self.process = None
        self._qmp = None

    def __enter__(self):
        self.log = open(self.folder / "qemu.log", "wb")
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, preexec_fn=_die_with_parent)
        return self

    def __exit__(self, *_):
        if self._qmp:
            self._qmp.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGKILL)
                self.process.wait()
        self.log.close()

    def console(self):
        return self.console_path.read_text(errors="replace") if self.console_path.exists() else ""

    def wait_frozen(self, timeout_s, progress=None):
        """Until the freeze plugin reports, or the time is up (an error). Returns the
        instructions executed by all vCPUs and the virtual time in ns."""
        end = time.monotonic() + timeout_s
        while not self.done.exists():
            if self.process.poll() is not None:
                tail = (self.folder / "qemu.log").read_text(errors="replace")[-2000:]
                raise LabError(f"lab: QEMU ended early, status {self.process.returncode}: {tail}")
            if time.monotonic() > end:
                raise LabError(f"lab: no freeze after {timeout_s} s; see {self.console_path}")
            if progress:
                progress(self)
            time.sleep(0.05)
        insns, now_ns = self.done.read_text().split()
        return int(insns), int(now_ns)

    def quit(self):
        """Ends QEMU in its own time, so that plugins write out what they hold."""
        try:
            self.qmp("quit")
        except (LabError, OSError):
            pass
        try:
            self.process.wait(300)
        except subprocess.TimeoutExpired:
            raise LabError("lab: QEMU does not end after quit") from None

    def qmp(self, command, **arguments):
        if not self._qmp:
            self._qmp = socket.socket(socket.AF_UNIX)
            self._qmp.connect(str(self.qmp_path))
            self._lines = self._qmp.makefile("r")
            json.loads(self._lines.readline())
            self.qmp("qmp_capabilities")
        request = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        self._qmp.sendall(json.dumps(request).encode() + b"\n")
        while True:
            line = self._lines.readline()
            if not line:
                raise LabError(f"lab: QEMU closed its monitor during {command}")
            reply = json.loads(line)
            if "return" in reply:
                return reply["return"]
            if "error" in reply:
                raise LabError(f"lab: {command}: {reply['error']['desc']}")
