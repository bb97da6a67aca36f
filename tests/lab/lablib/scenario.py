"""Scenario files: who runs, where, under which scheduler, and what is traced.

An ini file with one [scenario], one [domain NAME] a domain (the first is Dom0,
their order is Xen's domain order) and one [trace]. An unknown section or key is
an error. The keys and their defaults are those of the tables below.
"""

import configparser
import dataclasses
import random

from .paths import LAB, LabError

MACHINES = ("virt1", "virt2", "virt4", "zcu102")
SCHEDULERS = ("credit2", "credit", "null", "rtds")
# The bare-metal guests of tests/lab/guests, with the names of their tasks.
BARE = {
    "frontend": ("producer", "waiter"),
    "backend": ("dispatch", "crypt"),
    "hog": ("hog-even", "hog-odd"),
    "faulter": ("emulated", "unmapped", "between"),
    "crasher": ("healthy", "doomed"),
}


@dataclasses.dataclass
class Domain:
    """One domain. `index` is Xen's domain id; its VMID is index + 1."""

    name: str
    index: int = 0
    kind: str = "linux"
    vcpus: int = 1
    memory_mib: int = 0
    work: str = ""
    peer: str = ""
    work_loops: int = 20000
    think_loops: int = 40000
    stop_after: int = 0
    start_ms: int = 0
    period_us: int = 0
    no_markers: int = 0
    ramp_step: int = 0
    ramp_phases: int = 0
    ramp_rounds: int = 1
    ramp_ms: int = 0
    enhanced: int = 0  # 1: the guest is told of Xen
    args: str = ""

    @property
    def vmid(self):
        return self.index + 1

    @property
    def is_linux(self):
        return self.kind == "linux"

    @property
    def context_base(self):
        return 0x100 * self.index

    @property
    def tasks(self):
        """Context ID to name, for a bare-metal guest."""
        return {self.context_base + i: name for i, name in enumerate(BARE.get(self.kind, ()))}


@dataclasses.dataclass
class Trace:
    """What is recorded, counted in millions of instructions of all pCPUs together
    since reset: 250 are one second of a machine that is never idle, at 4 ns each."""

    start_minsns: int = 1250
    length_minsns: int = 60
    options: str = ""  # further ones of the virtual ETM's


@dataclasses.dataclass
class Scenario:
    name: str
    title: str = ""
    machine: str = "virt2"
    scheduler: str = "credit2"
    ram_mib: int = 512
    icount_shift: int = 2
    seed: int = 1
    xen_args: str = ""
    domains: list = dataclasses.field(default_factory=list)
    trace: Trace = dataclasses.field(default_factory=Trace)

    @property
    def pcpus(self):
        return {"virt1": 1, "virt4": 4}.get(self.machine, 2)


def names():
    return sorted(path.stem for path in (LAB / "scenarios").glob("*.scenario"))


def _fill(target, section, where, skip=()):
    fields = {f.name: f for f in dataclasses.fields(target)
              if f.name not in ("name", "index", "domains", "trace") + tuple(skip)}
    for key, text in section.items():
        if key not in fields:
            raise LabError(f"{where}: no key '{key}' (one of {', '.join(sorted(fields))})")
        try:
            value = int(text, 0) if fields[key].type in (int, "int") else text
        except ValueError:
            raise LabError(f"{where}: {key} = '{text}' is no number") from None
        setattr(target, key, value)
    return target


def load(name):
    """Reads tests/lab/scenarios/NAME.scenario, or a file given by path."""
    path = LAB / "scenarios" / f"{name}.scenario"
    if name.endswith(".scenario"):
        path = type(path)(name)
        name = path.stem
    if not path.exists():
        raise LabError(f"lab: no scenario '{name}'; there are: {', '.join(names())}")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path)
    except configparser.Error as error:
        raise LabError(f"{path}: {error}") from None
    scenario = Scenario(name)
    for section in parser.sections():
        where = f"{path}: [{section}]"
        if section == "scenario":
            _fill(scenario, parser[section], where)
        elif section == "trace":
            _fill(scenario.trace, parser[section], where)
        elif section.startswith("domain "):
            domain = Domain(section.split(None, 1)[1], index=len(scenario.domains))
            scenario.domains.append(_fill(domain, parser[section], where))
        else:
            raise LabError(f"{where}: no such section (scenario, domain NAME, trace)")
    _check(scenario, path)
    _shift(scenario)
    return scenario


def _shift(scenario):
    """Runs of different seeds begin their work at different times; seed 1 leaves them."""
    for domain in scenario.domains:
        if scenario.seed != 1 and domain.start_ms:
            domain.start_ms += random.Random(f"{scenario.seed} {domain.name}").randrange(100)


def _check(scenario, path):
    def need(condition, message):
        if not condition:
            raise LabError(f"{path}: {message}")

    need(scenario.machine in MACHINES, f"machine is one of {', '.join(MACHINES)}")
    need(scenario.scheduler in SCHEDULERS, f"scheduler is one of {', '.join(SCHEDULERS)}")
    need(scenario.domains and scenario.domains[0].is_linux, "the first domain is a Linux Dom0")
    by_name = {domain.name: domain for domain in scenario.domains}
    for domain in scenario.domains:
        need(domain.is_linux or domain.kind in BARE,
             f"[domain {domain.name}] kind is linux or one of {', '.join(BARE)}")
        need(domain.is_linux or domain.vcpus == 1, f"[domain {domain.name}] runs on one vCPU")
        if domain.kind in ("frontend", "backend"):
            peer = by_name.get(domain.peer)
            need(peer and peer.peer == domain.name and peer.kind != domain.kind,
                 f"[domain {domain.name}] needs a peer, whose peer it is")
        if not domain.memory_mib:
            domain.memory_mib = 8 if not domain.is_linux else 96 if domain.index else 128
    if scenario.scheduler == "null":
        need(sum(d.vcpus for d in scenario.domains) <= scenario.pcpus,
             "the null scheduler needs a pCPU for each vCPU")
