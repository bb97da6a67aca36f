#!/usr/bin/python3
"""lab-names: names files of a real Linux whose tasks come, end and hand on their numbers.

The lab's machine is deterministic: a run that is frozen early in the traced window and one that
is frozen behind its end are two looks at one history. hvscope names writes down what each
shows; the guest's own log on its console says which child had which number when.
"""

import collections
import configparser
import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
# pylint: disable=wrong-import-position
from lablib import paths, scenario  # noqa: E402
from lablib.run import Run  # noqa: E402
from tap import Skip, expect, main  # noqa: E402

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="hvscope-lab-names-"))
CHURN = re.compile(r"^churn \S+ (\d+) pid (\d+) (born|died) (\d+)$")
# The smallest number that Linux gives a second time.
REUSED = range(300, 312)
MACHINE = 2
# From the window's start to the first look.
EARLY_MINSNS = 10
NS_PER_TICK = 16


def hvscope(*arguments):
    program = pathlib.Path(os.environ.get("HVSCOPE_BUILD_ROOT", "build")) / "cli" / "hvscope"
    if not program.exists():
        raise Skip(f"{program} is not built")
    return subprocess.run([str(program), *map(str, arguments)], check=True,
                          stdout=subprocess.PIPE, encoding="utf-8").stdout


def look(name, length_minsns, traced):
    """A run, and the names file of its dump."""
    loaded = scenario.load("churn")
    if length_minsns is not None:
        loaded.trace.length_minsns = length_minsns
    folder = FOLDER / name
    Run(loaded, folder).execute(traced)
    hvscope("names", "--target", f"core:{folder / 'dump.core'}", "--system",
            folder / "system.ini", "-o", folder / "names.ini")
    return folder


class Names:
    """A names file, read by something that is not hvscope."""

    def __init__(self, path):
        parser = configparser.ConfigParser(interpolation=None, delimiters=("=",))
        parser.read(path)
        self.taken = int(parser["names"]["taken"])
        self.tasks = {}
        for key, text in parser[f"tasks {MACHINE}"].items():
            words = text.split(";")
            facts = dict(word.split("=") for word in words[1:] if "=" in word)
            self.tasks[int(key)] = (words[0], {k: int(v) for k, v in facts.items()})

    def clock(self):
        """What the guest's clock is behind the ticks, by its youngest task."""
        start = max((facts["start"], facts["start_key"]) for _, facts in self.tasks.values()
                    if "start" in facts)
        return start[0] * NS_PER_TICK - start[1]


def lives(folder):
    """From the console: number of a child -> its pid, birth and death in the guest's ns."""
    found = {}
    for line in (folder / "console-linux1.log").read_text().splitlines():
        match = CHURN.match(line)
        if match:
            number, pid, what, at_ns = match.groups()
            life = found.setdefault(int(number), [int(pid), 0, 1 << 62])
            life[1 if what == "born" else 2] = int(at_ns)
    return found


class Looks:
    """Both runs and the recording; made by the first case, for all of them."""

    early = late = database = recording = None

    @classmethod
    def make(cls):
        paths.prepare()
        cls.early = look("early", EARLY_MINSNS, False)
        cls.late = look("late", None, True)
        cls.recording = FOLDER / "a.hvs"
        cls.decode(cls.recording, cls.early / "names.ini", cls.late / "names.ini")
        cls.database = sqlite3.connect(cls.recording)

    @classmethod
    def decode(cls, recording, *names):
        options = [word for path in names for word in ("--names", path)]
        hvscope("decode", cls.late / "capture", *options, "-o", recording)

    @classmethod
    def need(cls):
        if cls.database is None:
            raise Skip("there are no runs")

    @classmethod
    def meta(cls, key):
        return int(cls.database.execute("SELECT value FROM meta WHERE key = ?",
                                        (key,)).fetchone()[0])

    @classmethod
    def spans(cls):
        """Of the churning guest: start and end in ticks * NS_PER_TICK, context ID, name."""
        origin_ns = cls.meta("window_start_ticks") * NS_PER_TICK
        for start_ns, duration_ns, context_id, name, doubtful in cls.database.execute(
                "SELECT start_ns, duration_ns, context_id, name, doubtful FROM span "
                "JOIN owner USING (owner) LEFT JOIN owner_name USING (owner) "
                "LEFT JOIN (SELECT task_name, name, doubtful FROM task_name) USING (task_name) "
                "WHERE class = 'guest' AND vmid = ?", (MACHINE,)):
            yield (origin_ns + start_ns, origin_ns + start_ns + duration_ns, context_id, name,
                   doubtful)


def taken_when():
    """The looks lie where the machine was frozen, and the clock is the trace's."""
    Looks.make()
    for folder in (Looks.early, Looks.late):
        names = Names(folder / "names.ini")
        frozen = json.loads((folder / "run.json").read_text())["frozen_ns"] / NS_PER_TICK
        late_ms = (frozen - names.taken) * NS_PER_TICK / 1e6
        print(f"# {folder.name}: taken at {names.taken}, {late_ms:.2f} ms before the freeze, "
              f"{len(names.tasks)} tasks", flush=True)
        expect(0 <= late_ms < 20, f"taken {late_ms} ms before the freeze")
    early, late = (Names(folder / "names.ini") for folder in (Looks.early, Looks.late))
    expect(abs(early.clock() - late.clock()) < 1000, "the guest's clock drifts between looks")


def right_for_their_time():
    """A name that is no doubtful one stands in the life of the child that had it."""
    Looks.need()
    born = lives(Looks.late)
    clock_ns = Names(Looks.late / "names.ini").clock()
    named = collections.Counter()
    for start_ns, end_ns, context_id, name, doubtful in Looks.spans():
        match = re.fullmatch(r"churn(\d+)", name or "")
        if not match or doubtful:
            continue
        pid, from_ns, to_ns = born[int(match.group(1))]
        expect(pid == context_id, f"{name} had {pid}, not {context_id}")
        expect(from_ns <= start_ns - clock_ns and end_ns - clock_ns <= to_ns,
               f"{name} lived from {from_ns} to {to_ns}, the span is at {start_ns - clock_ns}")
        named[name] += end_ns - start_ns
    print(f"# {dict(named)}", flush=True)
    expect(len(named) >= 3, "too few children are named: the scenario proves nothing")


def nothing_bare():
    """Whoever is known at a time has no bare number then; before its birth none has its name."""
    Looks.need()
    looks = [Names(folder / "names.ini") for folder in (Looks.early, Looks.late)]
    bare = reused = 0
    for start_ns, end_ns, context_id, name, _ in Looks.spans():
        middle = (start_ns + end_ns) / 2 / NS_PER_TICK
        known = [task for task in (names.tasks.get(context_id) for names in looks
                                   if middle <= names.taken)
                 if task and task[1].get("start", 0) <= middle]
        if known:
            expect(name == known[-1][0], f"{context_id} is {name}, not {known[-1][0]}")
        elif name is None:
            expect(context_id in REUSED, f"context {context_id} has no name")
            bare += end_ns - start_ns
        for names in looks:
            task = names.tasks.get(context_id)
            if task and context_id in REUSED and middle < task[1]["start"]:
                expect(name != task[0], f"{task[0]} is older than it is")
                reused += end_ns - start_ns
    print(f"# {bare / 1e6:.1f} ms of children that nobody saw, {reused / 1e6:.1f} ms under "
          "numbers that somebody got later", flush=True)
    expect(bare > 0 and reused > 0, "no number was used again: the scenario proves nothing")


def reports():
    """Every report in JSON: what has a name is called by it."""
    Looks.need()
    bare = re.compile(r"^(VMID \d+|domain \d+|context (\d+))$")

    def walk(value, where):
        if isinstance(value, dict):
            for key, member in value.items():
                walk(member, f"{where}.{key}")
        elif isinstance(value, list):
            for member in value:
                walk(member, where)
        elif isinstance(value, str):
            match = bare.match(value)
            expect(not match or (match.group(2) and int(match.group(2)) in REUSED),
                   f"{where} is '{value}'")

    for verb in ("time", "sched", "exits", "overhead", "latency"):
        options = ["--by", "task"] if verb == "time" else []
        walk(json.loads(hvscope("report", verb, Looks.recording, "--json", *options)), verb)


if __name__ == "__main__":
    try:
        main([
            ("names: taken when the machine was frozen", taken_when),
            ("names: right for their time", right_for_their_time),
            ("names: nothing known stays a number", nothing_bare),
            ("names: reports", reports),
        ])
    finally:
        shutil.rmtree(FOLDER)
