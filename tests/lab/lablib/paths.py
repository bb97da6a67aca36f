"""Where the lab's things are, and how its errors look."""

import os
import pathlib
import subprocess

LAB = pathlib.Path(__file__).resolve().parent.parent
ROOT = LAB.parent.parent
CACHE = pathlib.Path(os.environ.get("HVSCOPE_LAB_CACHE") or ROOT / "build" / "lab").resolve()
RUNS = pathlib.Path(os.environ.get("HVSCOPE_LAB_RUNS") or CACHE / "runs").resolve()
SKIP = 77


class LabError(Exception):
    """What went wrong, on what, and what to do. `code` is the exit status."""

    def __init__(self, message, code=1):
        super().__init__(message)
        self.code = code


def tool(name):
    """The path of a program of the unpacked tree."""
    path = CACHE / "bin" / name
    if not path.exists():
        raise LabError(f"lab: {path} is missing; run tests/lab/fetch", SKIP)
    return str(path)


def prepare():
    """Fetches the packages and builds Xen, each only where not yet done."""
    for script in ("fetch", "build-xen"):
        code = subprocess.run([str(LAB / script)], check=False).returncode
        if code:
            raise LabError(f"lab: tests/lab/{script} ended with status {code}",
                           SKIP if code == SKIP else 1)


def one(pattern, what):
    """The last file, by name, that matches a pattern in the cache."""
    found = sorted(CACHE.glob(pattern))
    if not found:
        raise LabError(f"lab: no {what} ({CACHE}/{pattern}); run tests/lab/fetch", SKIP)
    return found[-1]
