"""The test clock of the local daemon."""

from typing import Annotated

import typer

from nullspend_cli.client import Auth
from nullspend_cli.group import Noun
from nullspend_cli.options import Duration
from nullspend_cli.problems import Problem
from nullspend_cli.replies import Record
from nullspend_cli.run import Run
from nullspend_cli.tables import column
from nullspend_cli.when import parse_moment, show_duration, show_time
from nullspend_daemon.contract.clock import from_iso

EXAMPLES = {
    "get": """
nullspend clock get
""",
    "advance": """
nullspend clock advance 31d
nullspend clock advance 1h30m
""",
    "set": """
nullspend clock set 2027-01-01
nullspend clock set 2027-01-01T12:00:00Z
""",
}
_PATH = "/_local/clock"

noun = Noun(EXAMPLES)


@noun.verb()
def get(run: Run) -> None:
    """Show the time the daemon lives in."""
    _need_test_clock(run)
    run.out.record(run.client.get(_PATH, auth=Auth.ADMIN), (column("now"),), id_field="now")


@noun.verb()
def advance(run: Run, duration: Duration) -> None:
    """Move the clock forward. Whatever is due by then, such as a budget's reset, has happened when this returns."""
    _move(run, {"advanceMs": duration}, f"by {show_duration(duration)} ")


@noun.verb("set")
def set_(
    run: Run,
    time: Annotated[str, typer.Argument(metavar="TIME", help="For example 2027-01-01 or 2027-01-01T12:00:00Z.")],
) -> None:
    """Move the clock forward to a time. It cannot go back."""
    now = str(run.client.get(_PATH, auth=Auth.ADMIN)["now"])
    _move(run, {"setTo": parse_moment(time, from_iso(now))}, "")


def _need_test_clock(run: Run) -> None:
    daemon = run.place.daemon
    if daemon and not daemon.test_clock:
        raise Problem("This daemon runs on the machine's time.", next="nullspend daemon restart --test-clock")


def _move(run: Run, body: Record, how_far: str) -> None:
    _need_test_clock(run)
    moved = run.client.post(_PATH, body, auth=Auth.ADMIN)
    run.out.result(f"The clock went {how_far}to {show_time(moved['now'])}.", moved, id_field="now")
