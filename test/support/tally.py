# SPDX-License-Identifier: MIT
"""tally.py NAME FILE: turn CTest's JUnit file into lines pass|fail|skip, NAME/test, why."""
import sys
import xml.etree.ElementTree as ElementTree


def reason(case):
    """The SKIP: line that the test printed, else what CTest says."""
    text = case.findtext("system-out") or ""
    for line in text.splitlines():
        if line.startswith("SKIP: "):
            return line[len("SKIP: "):]
    skipped = case.find("skipped")
    return skipped.get("message", "") if skipped is not None else ""


def main():
    name, path = sys.argv[1:3]
    cases = ElementTree.parse(path).getroot().findall("testcase")
    for case in cases:
        test = name + "/" + case.get("name")
        status = case.get("status")
        if status == "run":
            print("pass", test, "", sep="\t")
        elif status == "fail":
            print("fail", test, "", sep="\t")
        else:
            print("skip", test, reason(case).replace("\t", " "), sep="\t")
    return 0 if cases else 1


sys.exit(main())
