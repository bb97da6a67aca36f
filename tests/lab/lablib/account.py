"""The decoder's account of a window against the truth's: instructions (cycles, in the
virtual ETM one each) per (core, exception level, VMID, context ID)."""

import csv
import json
import subprocess

from .paths import LabError


def truth(folder):
    """(core, el, vmid, cid) to instructions, from the truth plugin's totals.csv."""
    found = {}
    with open(folder / "truth" / "totals.csv", newline="", encoding="ascii") as file:
        for row in csv.DictReader(file):
            key = tuple(int(row[name]) for name in ("core", "el", "vmid", "cid"))
            found[key] = found.get(key, 0) + int(row["instructions"])
    if not found:
        raise LabError(f"lab: {folder}/truth/totals.csv is empty")
    return found


def decoded(hvscope, folder):
    """The same from hvscope: decodes the capture and reads its time report."""
    recording = folder / "recording.hvs"
    recording.unlink(missing_ok=True)
    call([hvscope, "decode", str(folder / "capture"), "-o", str(recording), "--system",
          str(folder / "system.ini")])
    report = json.loads(call([hvscope, "report", "time", str(recording), "--json"]))
    found = {}
    for row in report["rows"]:
        if row["el"] is None or not row["cycles"]:
            continue
        key = (row["core"], row["el"], row["vmid"] or 0, row["context_id"] or 0)
        found[key] = found.get(key, 0) + row["cycles"]
    return found


def call(command):
    """What a command prints; an error where it fails."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise LabError(f"lab: {' '.join(command)}: {result.stderr.strip()}")
    return result.stdout


def differences(expected, found, share, cycles):
    """Lines for every key whose cycles differ by more than `share` of the truth's and by
    more than `cycles`, the largest first; and the largest difference of all, as a share
    of the window."""
    total = sum(expected.values())
    lines, largest = [], 0
    for key in sorted(expected.keys() | found.keys(),
                      key=lambda key: -abs(expected.get(key, 0) - found.get(key, 0))):
        want, got = expected.get(key, 0), found.get(key, 0)
        largest = max(largest, abs(want - got))
        if abs(want - got) > max(share * want, cycles):
            lines.append(f"core {key[0]} EL{key[1]} VMID {key[2]} context {key[3]}: "
                         f"truth {want}, decoded {got}")
    return lines, largest / total
