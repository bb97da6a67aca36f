#!/usr/bin/python3
"""lab-scenario: what needs no machine. Scenario files, console logs, kallsyms errors."""

import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
from lablib import consoles, kernel, scenario  # noqa: E402
from tap import expect, expect_error, main  # noqa: E402

DOM0 = "[domain dom0]\nvcpus=2\n"


def parse(text):
    with tempfile.NamedTemporaryFile("w", suffix=".scenario") as file:
        file.write(text)
        file.flush()
        return scenario.load(file.name)


def every_file():
    names = scenario.names()
    expect(names, "there are no scenarios")
    for name in names:
        loaded = scenario.load(name)
        expect(loaded.title, f"{name} has no title")
        expect(loaded.trace.length_minsns > 0, f"{name} traces nothing")


def defaults():
    loaded = parse(DOM0 + "[domain a]\nkind=hog\n[trace]\nlength_minsns=7\n")
    expect([d.vmid for d in loaded.domains] == [1, 2], "VMID is domain + 1")
    expect([d.memory_mib for d in loaded.domains] == [128, 8], "memory by kind")
    expect(loaded.trace.length_minsns == 7, "the trace's length")
    expect(loaded.domains[1].tasks == {256: "hog-even", 257: "hog-odd"}, "tasks of the hog")


def refusals():
    for text, words in (
            (DOM0 + "speed=1\n", "no key 'speed'"),
            (DOM0 + "[domain b]\nvcpus=two\n", "'two' is no number"),
            ("[domain b]\nkind=hog\n", "the first domain is a Linux Dom0"),
            (DOM0 + "[domain b]\nkind=dragon\n", "kind is linux or one of"),
            (DOM0 + "[domain b]\nkind=hog\nvcpus=2\n", "runs on one vCPU"),
            (DOM0 + "[domain b]\nkind=frontend\n", "needs a peer"),
            (DOM0 + "[domain b]\nkind=frontend\npeer=c\n[domain c]\nkind=frontend\npeer=b\n",
             "needs a peer"),
            (DOM0 + "[scenario]\nscheduler=fair\n", "scheduler is one of"),
            (DOM0 + "[scenario]\nmachine=pc\n", "machine is one of"),
            (DOM0 + "[scenario]\nscheduler=null\n[domain b]\nkind=hog\n", "a pCPU for each vCPU"),
            (DOM0 + "[what]\n", "no such section"),
            ("no section\n", "no section")):
        expect_error(lambda text=text: parse(text), words)
    expect_error(lambda: scenario.load("nowhere"), "no scenario 'nowhere'; there are:")


LOG = """(XEN) Brought up 2 CPUs
task dom0 calc pid 95
LAB READY dom0
(XEN) DOM1: task lin io:50 pid 91
(XEN) DOM1: LAB READY lin
(XEN) DOM2: hog ready
"""


def console_logs():
    loaded = parse(DOM0 + "[domain lin]\n[domain h]\nkind=hog\n")
    expect(consoles.missing(loaded, LOG) == [], "all three are ready")
    expect(consoles.missing(loaded, LOG.replace("hog ready", "")) == ["h"], "the hog is not")
    names = consoles.tasks(loaded, LOG)
    expect(names[0][95] == "dom0_calc" and names[1][91] == "lin_io", f"tasks: {names}")
    expect(consoles.split(LOG)[-1] == ["(XEN) Brought up 2 CPUs"], "Xen's own lines")
    expect_error(lambda: consoles.check_alive("(XEN) Panic on CPU 0:"), "crashed")


def no_kernel():
    expect_error(lambda: kernel.symbols(bytes(100000)), "no kallsyms")
    expect_error(lambda: kernel.exported(bytes(100000)), "exports no init_task")


main([("lab-scenario/every-file", every_file), ("lab-scenario/defaults", defaults),
      ("lab-scenario/refusals", refusals), ("lab-scenario/console-logs", console_logs),
      ("lab-scenario/no-kernel", no_kernel)])
