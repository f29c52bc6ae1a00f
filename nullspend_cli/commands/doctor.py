"""What is wrong here, and what mends it."""

import textwrap
from collections.abc import Iterator

from nullspend_cli.doctor.examination import look, verdict
from nullspend_cli.doctor.findings import FAIL, OK, WARN
from nullspend_cli.group import Single
from nullspend_cli.output import Empty
from nullspend_cli.render import Cell
from nullspend_cli.replies import Record
from nullspend_cli.run import Run
from nullspend_cli.tables import column

EXAMPLES = """
nullspend doctor
nullspend doctor --context production
nullspend doctor --jq '.[] | select(.status != "ok")'
"""
_BESIDE = len("warn  data directory  ")
_STYLES = {OK: "green", WARN: "yellow", FAIL: "red"}
COLUMNS = (
    column("status", "", lambda status: Cell(str(status), _STYLES.get(str(status), ""))),
    column("check"),
    column("finding"),
)


def doctor(run: Run) -> None:
    """Look at everything that can go wrong: this machine, the local daemon, the chosen server.

    Each finding is ok, warn or fail; below them stands what mends those that are not ok. Exits 1 when one has failed.
    """
    run.state.forgive()
    with run.out.terminal.waiting("Looking"):
        found = list(look(run.state))
    whole = run.out.mode == "table" and run.out.terminal.is_tty
    shown = list(_wrapped(found, run.out.terminal.width - _BESIDE)) if whole else found
    run.out.table(shown, COLUMNS, empty=Empty(""), id_field="check")
    steps = [(finding["check"], finding["next"]) for finding in found if finding["next"] and finding["status"] != "ok"]
    if steps and run.out.mode == "table":
        run.out.steps(steps)
    failed = verdict(found)
    if failed:
        raise failed


def _wrapped(found: list[Record], width: int) -> Iterator[Record]:
    """Findings as rows of a screen: the end of one is often what matters, so it goes on below and is not cut."""
    for finding in found:
        first, *more = textwrap.wrap(str(finding["finding"]), max(width, 20)) or [""]
        yield {**finding, "finding": first}
        yield from ({"status": "", "check": "", "finding": line} for line in more)


command = Single(EXAMPLES, doctor)
