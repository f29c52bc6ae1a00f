"""Fails when a test was skipped for a reason that tests/allowed-skips.txt does not list.

usage: skips.py ALLOWED REPORT.xml...   (the reports are pytest's --junitxml)
"""

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def skipped(report: Path) -> list[tuple[str, str]]:
    """(test, reason) of every skipped test."""
    cases = ElementTree.parse(report).getroot().iter("testcase")
    return [
        (f"{case.get('classname')}::{case.get('name')}", skip.get("message", ""))
        for case in cases
        for skip in case.iter("skipped")
        if skip.get("type") != "pytest.xfail"
    ]


def main(allowed_path: str, *reports: str) -> int:
    """0 when every skip is allowed, 1 otherwise."""
    lines = Path(allowed_path).read_text().splitlines()
    allowed = [line for line in lines if line.strip() and not line.startswith("#")]
    found = [each for report in reports for each in skipped(Path(report))]
    unexpected = [(test, reason) for test, reason in found if not any(reason.startswith(start) for start in allowed)]
    for test, reason in unexpected:
        print(f"skipped without leave: {test}: {reason}")
    print(f"{len(found)} skipped, {len(unexpected)} of them without leave")
    return 1 if unexpected else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
