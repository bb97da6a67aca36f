"""A traced window of a scenario with the truth's log of every instruction, and nothing else:
no dump, no freeze; QEMU ends with the window."""

import pathlib
import shutil
import subprocess
import time

from . import consoles
from .machine import Machine
from .paths import CACHE, ROOT, LabError
from .run import BOOT_TIMEOUT_S, etm_plugin, truth_plugin
from .vm import Vm


def build_compare():
    """etm-compare, from this tree; Meson builds it too."""
    out = CACHE / "plugins" / "etm-compare"
    room = ROOT / "capture"
    sources = [ROOT / "tests" / "lab" / "etm-compare.c", *room.glob("snapshot*.c"),
               room / "ini-file.c", ROOT / "base" / "suggest.c"]
    if out.exists() and all(out.stat().st_mtime > s.stat().st_mtime for s in sources):
        return out
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "gio-2.0", "libopencsd"],
                           capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["cc", "-std=gnu17", "-O2", "-D_GNU_SOURCE", '-DG_LOG_DOMAIN="lab"',
                    f"-I{ROOT}", "-o", str(out), *map(str, sources), *flags, "-lopencsd_c_api"],
                   check=True)
    return out


class Window:
    """Boots `scenario` and traces `length` instructions from `start` on into `folder`/capture.
    `also` names further captures of the same run: folder to the virtual ETM's options."""

    def __init__(self, scenario, folder, start, length, options="", also=None):
        self.scenario = scenario
        self.folder = pathlib.Path(folder)
        self.start, self.stop = start, start + length
        self.captures = {"capture": options, **(also or {})}
        self.machine = Machine(scenario, self.folder)

    def record(self, etm=True, truth=True, insns=True):
        """Returns the seconds that QEMU ran."""
        for stale in (*self.captures, "truth"):
            shutil.rmtree(self.folder / stale, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.machine.build()
        shift = self.scenario.icount_shift
        plugins = []
        for name, options in self.captures.items() if etm else ():
            # A plugin loaded twice is one; under another name it is another.
            plugin = self.folder / f"{name}.so"
            shutil.copy(etm_plugin(), plugin)
            plugins.append(f"{plugin},out={self.folder / name},start=insn:{self.start},"
                           f"stop=insn:{self.stop},shift={shift},exit=on" +
                           (options and f",{options}"))
        if truth:
            plugins.append(f"{truth_plugin()},out={self.folder / 'truth'},from={self.start},"
                           f"to={self.stop},shift={shift},insns={'on' if insns else 'off'}")
        began = time.monotonic()
        with Vm(self.machine, self.folder, plugins=plugins) as vm:
            while vm.process.poll() is None:
                if time.monotonic() - began > BOOT_TIMEOUT_S:
                    raise LabError(f"lab: the window did not end in {BOOT_TIMEOUT_S} s")
                consoles.check_alive(vm.console())
                time.sleep(0.05)
        if etm and not (self.folder / "capture" / "snapshot.ini").exists():
            raise LabError("lab: no capture: " + (self.folder / "qemu.log").read_text())
        return time.monotonic() - began

    def compare(self, *options):
        """What etm-compare prints. Raises where it differs."""
        command = [str(build_compare()), *options, str(self.folder / "capture"),
                   str(self.folder / "truth")]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            raise LabError(f"lab: {result.stdout}{result.stderr}")
        return result.stdout

    def figures(self):
        """capture.ini's numbers."""
        lines = (self.folder / "capture" / "capture.ini").read_text().splitlines()
        pairs = [line.split("=") for line in lines if "=" in line]
        return {key: int(value) for key, value in pairs if value.isdigit()}

    def trace_bytes(self, name="capture"):
        return (self.folder / name / "cstrace.bin").stat().st_size
