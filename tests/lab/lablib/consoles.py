"""The one serial line that Xen gives us, taken apart into one log a domain."""

import re

from .paths import LabError

_XEN = re.compile(r"\(XEN\)[^\n]*(\n|$)")
# Xen prints a DomU's lines so; what has no prefix is Dom0's.
_DOMU = re.compile(r"^\(XEN\) DOM(\d+): (.*)$")
_READY = re.compile(r"^(LAB READY|(frontend|backend|hog|faulter|crasher) ready)")
_TASK = re.compile(r"^task (\S+) ([a-z]+)\S* pid (\d+)")


def split(text):
    """Domain index to its lines; -1 is Xen."""
    logs = {-1: []}

    def take(match):
        line = match.group(0).rstrip("\n")
        domu = _DOMU.match(line)
        if domu:
            logs.setdefault(int(domu.group(1)), []).append(domu.group(2))
        else:
            logs[-1].append(line)
        return ""

    # Xen's lines come whole, and in the middle of Dom0's: its console hands over 16
    # characters at a time. Without them Dom0's lines are whole again.
    logs[0] = _XEN.sub(take, text.replace("\r", "")).splitlines()
    return logs


def missing(scenario, text):
    """Names of the domains that did not yet say that they are ready."""
    logs = split(text)
    return [domain.name for domain in scenario.domains
            if not any(_READY.match(line) for line in logs.get(domain.index, ()))]


def tasks(scenario, text):
    """Per domain: context ID (Linux: the thread's id) to name, as the guests said."""
    logs, found = split(text), {}
    for domain in scenario.domains:
        names = dict(domain.tasks)
        for line in logs.get(domain.index, ()):
            match = _TASK.match(line)
            if match:
                names[int(match.group(3))] = f"{match.group(1)}_{match.group(2)}"
        if domain.is_linux:
            names.setdefault(0, "swapper")
            names.setdefault(1, "init")
        found[domain.index] = names
    return found


def write(scenario, text, folder):
    """console-xen.log and console-DOMAIN.log."""
    logs = split(text)
    (folder / "console-xen.log").write_text("\n".join(logs[-1]) + "\n")
    for domain in scenario.domains:
        lines = logs.get(domain.index, [])
        (folder / f"console-{domain.name}.log").write_text("\n".join(lines) + "\n")


def check_alive(text):
    for line in text.splitlines():
        if "Panic on CPU" in line or "Kernel panic" in line:
            raise LabError(f"lab: the system crashed: {line.strip()}")
