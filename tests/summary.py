#!/usr/bin/python3
"""Counts the cases in Meson's JUnit log; prints why tests were skipped; ends with one line.

Usage: summary.py JUNIT_XML MESON_EXIT_CODE
"""
import sys
import xml.etree.ElementTree as ET


def main():
    path, meson_code = sys.argv[1], int(sys.argv[2])
    passed = failed = skipped = 0
    try:
        root = ET.parse(path).getroot()
    except (OSError, ET.ParseError) as error:
        print(f"summary: no test log: {error}")
        print("0 passed, 1 failed, 0 skipped")
        return 1
    for case in root.iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
            print(f"FAILED {case.get('classname')} {case.get('name')}")
        elif case.find("skipped") is not None:
            skipped += 1
            reason = case.find("skipped").get("message") or ""
            print(f"skipped {case.get('classname')} {case.get('name')} {reason}".rstrip())
        else:
            passed += 1
    if meson_code != 0 and failed == 0:
        failed = 1  # a test crashed or timed out outside any case
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


sys.exit(main())
