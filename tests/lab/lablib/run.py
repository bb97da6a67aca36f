"""One run of a scenario: boot, trace a window, freeze, and keep everything.

A run's folder (build/lab/runs/NAME) holds afterwards:

    capture/       the virtual ETM's capture directory, what hvscope decodes
    truth/         the truth plugin's log of the same window
    dump.core      the machine as it stood at the freeze, with state.json
    symbols/       xen-syms, linux.elf, one ELF a bare-metal guest
    console*.log   Xen's and each domain's
    system.ini     names for numbers, for hvscope --system
    run.json       what ran: versions, window, times
"""

import json
import shutil
import time

from . import consoles, dump, guests, kernel
from .machine import STM_BYTES, Machine
from .paths import CACHE, LAB, ROOT, LabError, one
from .vm import Vm, build_plugin

MILLION = 1000000
# The trace is closed when a block begins; by then the freeze must not have come.
FREEZE_MARGIN_INSNS = 50000
COUNTER_HZ = 62500000
BOOT_TIMEOUT_S = 900


def linux_symbols():
    """linux.elf of the kernel in the cache, made once."""
    image = one("arm64/boot/vmlinuz-*", "Linux kernel")
    path = CACHE / f"{image.name.replace('vmlinuz', 'linux')}.elf"
    if not path.exists():
        temporary = path.with_suffix(".new")
        kernel.write_elf(image, temporary)
        temporary.rename(path)
    return path


def etm_plugin():
    """The virtual ETM, compiled from the product's sources; None where there is none."""
    folder = ROOT / "capture" / "virtual-etm"
    sources = sorted(folder.glob("*.c"))
    if not sources:
        return None
    room = ROOT / "capture"
    shared = [room / f"{name}.c" for name in
              ("etm4-encoder", "etm4-encoder-address", "cs-formatter", "stp-encoder", "ini-file")]
    shared += sorted(room.glob("snapshot*.c")) + [ROOT / "base" / "suggest.c"]
    headers = sorted(folder.glob("*.h")) + sorted(room.glob("*.h"))
    return build_plugin("virtual-etm", sources + shared, [ROOT], headers)


def truth_plugin():
    source = LAB / "truth-plugin.c"
    return build_plugin("truth", [source]) if source.exists() else None


class Run:
    def __init__(self, scenario, folder):
        self.scenario = scenario
        self.folder = folder
        self.machine = Machine(scenario, folder)
        trace = scenario.trace
        self.start = trace.start_minsns * MILLION
        self.stop = self.start + trace.length_minsns * MILLION

    @property
    def freeze_insns(self):
        return self.stop + FREEZE_MARGIN_INSNS

    def prepare(self):
        """An empty folder with the device tree and modules in it."""
        for stale in ("capture", "truth", "symbols"):
            shutil.rmtree(self.folder / stale, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.machine.build()

    def describe(self, text):
        """Console logs, symbols and system.ini, from what the console said so far."""
        consoles.write(self.scenario, text, self.folder)
        self._write_symbols()
        self._write_system(text)

    def execute(self, traced=True, say=lambda text: None):
        """The whole run. Returns what run.json holds."""
        self.prepare()
        plugins = self._plugins() if traced else []
        began = time.monotonic()
        with Vm(self.machine, self.folder, freeze_insns=self.freeze_insns,
                plugins=plugins) as vm:
            insns, now_ns = vm.wait_frozen(
                BOOT_TIMEOUT_S, lambda vm: consoles.check_alive(vm.console()))
            frozen_s = time.monotonic() - began
            text = vm.console()
            self._check_ready(text)
            say(f"frozen after {insns / 1e6:.0f} M instructions, {now_ns / 1e9:.3f} s of the "
                f"machine's time, {frozen_s:.1f} s of ours")
            dump.take(vm, self.folder, now_ns * COUNTER_HZ // 10**9)
            vm.quit()
        self.describe(text)
        result = {"scenario": self.scenario.name, "title": self.scenario.title,
                  "machine": self.scenario.machine, "scheduler": self.scenario.scheduler,
                  "kernel": one("arm64/boot/vmlinuz-*", "Linux kernel").name,
                  "xen": (CACHE / "xen" / "kind").read_text().strip(),
                  "start_insns": self.start, "stop_insns": self.stop,
                  "frozen_insns": insns, "frozen_ns": now_ns}
        (self.folder / "run.json").write_text(json.dumps(result, indent=1) + "\n")
        return result

    def _plugins(self):
        shift = self.scenario.icount_shift
        etm, truth = etm_plugin(), truth_plugin()
        if not etm or not truth:
            raise LabError("lab: capture/virtual-etm or tests/lab/truth-plugin.c is missing")
        options = f",{self.scenario.trace.options}" if self.scenario.trace.options else ""
        stm = f"stm={self.machine.stm_pa:#x}:{STM_BYTES:#x}"
        return [f"{etm},out={self.folder / 'capture'},start=insn:{self.start},"
                f"stop=insn:{self.stop},shift={shift},{stm}{options}",
                f"{truth},out={self.folder / 'truth'},from={self.start},to={self.stop},"
                f"shift={shift}"]

    def _check_ready(self, text):
        late = consoles.missing(self.scenario, text)
        if late:
            raise LabError(f"lab: {self.scenario.name}: not ready at the window: "
                           f"{', '.join(late)}; raise start_minsns or see "
                           f"{self.folder / 'console.log'}")

    def _write_symbols(self):
        folder = self.folder / "symbols"
        folder.mkdir()
        built = guests.build()
        kinds = sorted({d.kind for d in self.scenario.domains if not d.is_linux})
        sources = [linux_symbols(), built / "worker"]
        sources += [built / f"{kind}.elf" for kind in kinds]
        if (CACHE / "xen" / "xen-syms").exists():
            sources.append(CACHE / "xen" / "xen-syms")
        for source in sources:
            name = "linux.elf" if source.name.startswith("linux") else source.name
            (folder / name).symlink_to(source)

    def _pair_keys(self, domain):
        """Who serves a frontend, and where both write their markers."""
        if not domain.peer:
            return []
        keys = [f"stm_channels={domain.index}"]
        if domain.kind == "frontend":
            peer = next(d for d in self.scenario.domains if d.name == domain.peer)
            keys += [f"backend={peer.vmid}", f"backend_tasks={peer.tasks[peer.context_base + 1]}"]
        return keys

    def _write_system(self, text):
        names = consoles.tasks(self.scenario, text)
        lines = ["# Written by the lab: names for the numbers of this run.", "[system]",
                 f"timestamp_hz={COUNTER_HZ}", "hypervisor=xen",
                 f"scheduler={self.scenario.scheduler}", "", "[machine 0]", "name=Xen", "kind=xen"]
        if (self.folder / "symbols" / "xen-syms").exists():
            lines.append("symbols=symbols/xen-syms")
        for domain in self.scenario.domains:
            symbols = "linux" if domain.is_linux else domain.kind
            tasks = ";".join(f"{number}:{name}" for number, name in names[domain.index].items())
            lines += ["", f"[machine {domain.vmid}]", f"name={domain.name}",
                      f"kind={'linux' if domain.is_linux else 'bare'}", f"vmid={domain.vmid}",
                      f"vcpus={domain.vcpus}", f"symbols=symbols/{symbols}.elf"]
            if tasks:
                lines.append(f"tasks={tasks}")
            lines += self._pair_keys(domain)
        (self.folder / "system.ini").write_text("\n".join(lines) + "\n")
