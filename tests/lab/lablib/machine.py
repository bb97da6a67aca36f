"""The machine of a scenario: memory plan, device tree, and QEMU's arguments.

Two machines of QEMU: virt (its own device tree, extended) and xlnx-zcu102 (QEMU
makes none, so ours is in zcu102.dts). The plan of the RAM, from its base:

    +32 MiB   Linux's Image, then the initramfs and the bare-metal guests
    end-2 MiB   static shared memory of frontend and backend

The STM stimulus window, 65,536 ports of 256 bytes, is where QEMU ignores writes: on
virt an empty part of the PCIe window, on zcu102 where the silicon has it. It must not
be RAM: the virtual ETM sees only accesses that leave the emulated CPU.
"""

import dataclasses
import re
import subprocess

from . import guests
from .paths import CACHE, LAB, SKIP, LabError, one, tool

MIB = 1 << 20
STM_BYTES = 16 * MIB
SHARED_BYTES = 2 * MIB
# Where the guests see them, guests/guest.h.
STM_IPA = 0x28000000
SHARED_IPA = 0x50000000
KASLR_SEED = 0x4C61624B41534C52
# The self-tests of crypto alone are 6 s of an emulated boot.
LINUX_ARGS = ("quiet cma=0 cryptomgr.notests "
              "initcall_blacklist=init_kprobe_trace,load_system_certificate_list")
PORT_FRONTEND, PORT_BACKEND = 10, 11


@dataclasses.dataclass
class Board:
    qemu: list
    ram_base: int
    gic_version: int
    console: str
    stm_pa: int




def _virt(cores):
    return Board(["-M", "virt,virtualization=on,gic-version=3,dtb-randomness=off", "-smp",
                  str(cores), "-cpu", "cortex-a53"], 0x40000000, 3, "/pl011@9000000", 0x20000000)


BOARDS = {
    "virt1": _virt(1),
    "virt2": _virt(2),
    "virt4": _virt(4),
    "zcu102": Board(["-M", "xlnx-zcu102,virtualization=on,secure=off", "-smp", "2"],
                    0, 2, "/serial@ff000000", 0xF8000000),
}


def _cells(*values):
    """Device-tree cells: each value as two."""
    return " ".join(f"{value >> 32:#x} {value & 0xffffffff:#x}" for value in values)


class Machine:
    """Writes boot.dtb and the modules into `folder` and gives QEMU's arguments."""

    def __init__(self, scenario, folder):
        self.scenario = scenario
        self.board = BOARDS[scenario.machine]
        self.folder = folder
        self.ram_base = self.board.ram_base
        self.ram_bytes = scenario.ram_mib * MIB
        self.stm_pa = self.board.stm_pa
        self.shared_pa = self.ram_base + self.ram_bytes - SHARED_BYTES
        # Whether time that every core sleeps through is skipped. Not with breakpoints: a
        # core that stops at one counts as asleep, and where no timer is set then, QEMU
        # skips to the end of all time and hangs.
        self.skips_sleep = True
        self.loads = []
        self._next = self.ram_base + 32 * MIB

    def _check_xen(self):
        """Debian's binary of Xen, the fallback, lacks what some scenarios need."""
        kind = (CACHE / "xen" / "kind").read_text().strip()
        paired = any(domain.peer for domain in self.scenario.domains)
        if kind == "binary" and (self.scenario.scheduler in ("null", "rtds") or paired):
            raise LabError(f"lab: {self.scenario.name} needs Xen built from source (null, rtds, "
                           "static shared memory), and its source could not be had or built", SKIP)

    def build(self):
        self._check_xen()
        built = guests.build()
        kernel = self._load(one("arm64/boot/vmlinuz-*", "Linux kernel"))
        initrd = self._load(built / "initramfs")
        text = self._board_tree() + self._tree(built, kernel, initrd)
        source = self.folder / "boot.dts"
        source.write_text(text)
        self._dtc(["-I", "dts", "-O", "dtb", "-o", str(self.folder / "boot.dtb"), str(source)])

    def qemu_arguments(self):
        arguments = [*self.board.qemu, "-m", str(self.scenario.ram_mib),
                     "-icount", f"shift={self.scenario.icount_shift},"
                     f"sleep={'off' if self.skips_sleep else 'on'}",
                     "-rtc", "clock=vm,base=2024-01-01T00:00:00", "-seed",
                     str(self.scenario.seed),
                     "-nodefaults", "-audio", "none", "-display", "none", "-nic", "none",
                     "-kernel", str(CACHE / "xen" / "xen"),
                     "-dtb", str(self.folder / "boot.dtb")]
        for path, address, _ in self.loads:
            arguments += ["-device", f"loader,file={path},addr={address:#x},force-raw=on"]
        return arguments

    def _load(self, path):
        size = path.stat().st_size
        address = self._next
        self.loads.append((path, address, size))
        self._next = (address + size + 2 * MIB - 1) & -(2 * MIB)
        if self._next > self.ram_base + 120 * MIB:
            raise LabError("lab: the modules reach into QEMU's place for the device tree")
        return address, size

    def _dtc(self, arguments):
        result = subprocess.run([tool("dtc"), "-q", *arguments], capture_output=True, check=False)
        if result.returncode:
            raise LabError(f"lab: dtc {' '.join(arguments)}: {result.stderr.decode().strip()}")
        return result.stdout

    def _board_tree(self):
        if self.scenario.machine == "zcu102":
            return (LAB / "zcu102.dts").read_text()
        blob = self.folder / "board.dtb"
        machine = self.board.qemu[1] + f",dumpdtb={blob}"
        subprocess.run([tool("qemu-system-aarch64"), "-M", machine, *self.board.qemu[2:],
                        "-m", str(self.scenario.ram_mib), "-nodefaults", "-display", "none",
                        "-nic", "none"], check=True, capture_output=True)
        text = self._dtc(["-I", "dtb", "-O", "dts", str(blob)]).decode()
        # Devices that nobody uses only cost Dom0 time.
        return re.sub(r"\n\t(virtio_mmio|pcie|fw-cfg|platform-bus)@[^{]*\{.*?\n\t\};", "", text,
                      flags=re.DOTALL)

    def _silo(self):
        """Xen's default forbids event channels between guests. Turning that off costs
        three seconds of its boot, a warning, so only who needs it does."""
        return "xsm=dummy " if any(d.peer for d in self.scenario.domains) else ""

    def _tree(self, built, kernel, initrd):
        scenario = self.scenario
        dom0 = scenario.domains[0]
        xen_args = (f"console=dtuart dtuart={self.board.console} dom0_mem={dom0.memory_mib}M "
                    f"dom0_max_vcpus={dom0.vcpus} sched={scenario.scheduler} bootscrub=0 "
                    f"{self._silo()}{scenario.xen_args}").strip()
        domains = "".join(self._domain(domain, built, kernel, initrd)
                          for domain in scenario.domains[1:])
        return f"""
/ {{
	chosen {{
		#address-cells = <2>;
		#size-cells = <2>;
		stdout-path = "{self.board.console}";
		kaslr-seed = <{_cells(KASLR_SEED + scenario.seed - 1)}>;
		xen,xen-bootargs = "{xen_args}";
		xen,dom0-bootargs = "{self._linux_args(dom0)}";
{self._module("kernel", *kernel)}{self._module("ramdisk", *initrd)}{domains}	}};
}};
"""

    @staticmethod
    def _module(kind, address, size, bootargs=""):
        extra = f' bootargs = "{bootargs}";' if bootargs else ""
        return (f'\t\tmodule-{kind}@{address:x} {{ compatible = "multiboot,{kind}", '
                f'"multiboot,module"; reg = <{_cells(address, size)}>;{extra} }};\n')

    @staticmethod
    def _linux_args(domain):
        console = "hvc0" if domain.index == 0 else "ttyAMA0"
        work = f" lab.work={domain.work.replace(' ', '')}" if domain.work else ""
        return (f"console={console} rdinit=/init {LINUX_ARGS} lab.name={domain.name}"
                f"{work} {domain.args}").strip()

    def _domain(self, domain, built, kernel, initrd):
        body = ""
        if domain.is_linux:
            body += self._module("kernel", *kernel, self._linux_args(domain))
            body += self._module("ramdisk", *initrd)
        else:
            port = {"frontend": PORT_FRONTEND, "backend": PORT_BACKEND}.get(domain.kind, 0)
            path = self.folder / f"{domain.name}.bin"
            path.write_bytes(guests.image(built, domain, self.board.gic_version, port))
            body += self._module("kernel", *self._load(path), "none")
            body += self._module("device-tree", *self._load(self._passthrough(domain)))
            if domain.peer:
                body += self._pair(domain, port)
        enhanced = ('\t\t\txen,enhanced = "no-xenstore";\n'
                    if domain.peer or domain.enhanced else "")
        return f"""		domain-{domain.name} {{
			compatible = "xen,domain";
			#address-cells = <2>;
			#size-cells = <2>;
			memory = <0 {domain.memory_mib * 1024}>;
			cpus = <{domain.vcpus}>;
			vpl011;
{enhanced}{body}		}};
"""

    def _pair(self, domain, port):
        """The static event channel and shared memory of a frontend and its backend."""
        pair = "-".join(sorted((domain.name, domain.peer)))
        return f"""			event_{domain.name}: event@1 {{
				compatible = "xen,evtchn-v1";
				xen,evtchn = <{port} &event_{domain.peer}>;
			}};
			shared@1 {{
				compatible = "xen,domain-shared-memory-v1";
				xen,shm-id = "{pair[:15]}";
				xen,shared-mem = <{_cells(self.shared_pa, SHARED_IPA, SHARED_BYTES)}>;
			}};
"""

    def _passthrough(self, domain):
        """The partial device tree that gives a guest the STM stimulus window."""
        text = f"""/dts-v1/;
/ {{
	#address-cells = <2>;
	#size-cells = <2>;
	passthrough {{
		compatible = "simple-bus";
		ranges;
		#address-cells = <2>;
		#size-cells = <2>;
		stm@{STM_IPA:x} {{
			reg = <{_cells(STM_IPA, STM_BYTES)}>;
			xen,reg = <{_cells(self.stm_pa, STM_BYTES, STM_IPA)}>;
			xen,force-assign-without-iommu;
		}};
	}};
}};
"""
        source = self.folder / f"{domain.name}.dts"
        blob = self.folder / f"{domain.name}.dtb"
        source.write_text(text)
        self._dtc(["-I", "dts", "-O", "dtb", "-o", str(blob), str(source)])
        return blob

