"""Cases of the lab's tests, as TAP on stdout: what Meson counts."""

import sys
import traceback

from lablib.paths import SKIP, LabError


class Skip(Exception):
    """This case cannot run here; the text says why."""


def main(cases):
    """Runs each (name, function); a LabError of code 77 skips, another one fails."""
    print(f"TAP version 13\n1..{len(cases)}", flush=True)
    failed = 0
    for number, (name, case) in enumerate(cases, 1):
        line = f"ok {number} {name}"
        try:
            case()
        except Skip as reason:
            line += f" # SKIP {reason}"
        except LabError as error:
            if error.code == SKIP:
                line += f" # SKIP {error}"
            else:
                line = f"not {line}\n# {error}"
        except Exception:  # pylint: disable=broad-except
            text = traceback.format_exc().replace("\n", "\n# ")
            line = f"not {line}\n# {text}"
        failed += line.startswith("not")
        print(line, flush=True)
    sys.exit(1 if failed else 0)


def expect(condition, message):
    if not condition:
        raise AssertionError(message)


def expect_error(function, words):
    try:
        function()
    except LabError as error:
        expect(words in str(error), f"the error says '{error}', not '{words}'")
        return
    raise AssertionError(f"no error, where one about '{words}' was due")
