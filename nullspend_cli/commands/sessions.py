"""Sessions: what belongs together of what an agent did."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from nullspend_cli import filters, tally, timeline
from nullspend_cli.charts import bar_width
from nullspend_cli.group import Noun
from nullspend_cli.options import FILTERS, STANDARD, Limit
from nullspend_cli.output import Empty
from nullspend_cli.problems import Missing
from nullspend_cli.render import bar, count, money
from nullspend_cli.replies import Record, record, rows
from nullspend_cli.run import Run
from nullspend_cli.tables import Column, column
from nullspend_cli.when import show_time
from nullspend_daemon.contract.ids import Kind

EXAMPLES = {
    "list": """
nullspend sessions list --limit 10
nullspend sessions list --customer acme --since 7d
""",
    "get": """
nullspend sessions get research-42
nullspend sessions get research-42 --json
""",
}
_NONE = Empty("There are no sessions.", "nullspend events report --help")
_COST = "totalCostMicrodollars"
_PATH = "/api/cost-events/sessions"

noun = Noun(EXAMPLES)


def _columns(found: list[Record], run: Run) -> tuple[Column, ...]:
    plain = (
        column("sessionId", "SESSION"),
        column("firstEventAt", "FIRST", show_time),
        column("lastEventAt", "LAST", show_time),
        column("eventCount", "CALLS", count, right=True),
        column(_COST, "COST", money, right=True),
    )
    terminal = run.out.terminal
    top = max((row[_COST] for row in found), default=0)
    width = min(12, bar_width(plain, found, terminal))
    drawn = Column(
        "bar", "", lambda cost: bar(cost, top, terminal.glyphs, width=width), lambda row: row[_COST], drawn=True
    )
    return (*plain, drawn)


@noun.verb(shared=(*FILTERS, *STANDARD))
def list_(run: Run, limit: Limit = None) -> None:
    """List sessions, the one with the latest event first. With filters they are made of the matching events only."""
    wanted, most = filters.given(run), run.rows_wanted(limit)
    if wanted.anything:
        with run.out.terminal.waiting("Reading events"):
            found = tally.sessions(filters.events(run.client, wanted))[: most or None]
    else:
        found = list(run.client.pages(_PATH, None, limit=most))
    run.out.table(found, _columns(found, run), empty=_NONE, id_field="sessionId")


@noun.verb()
def get(run: Run, session: Annotated[str, typer.Argument(metavar="ID", help="The session's id.")]) -> None:
    """Replay a session: its calls in their order, when each began, how long it took and what it cost."""
    found: dict[str, Any] = record(run.client.get(f"{_PATH}/{quote(session, safe='')}"))
    found["events"] = rows(found, Kind.COST_EVENT, under="events")
    if not found["events"]:
        raise Missing(f"There is no event of a session {session!r}.", next="nullspend sessions list")
    run.out.document(found, timeline.page(found), id_field="sessionId")
    if len(found["events"]) >= timeline.CAP:
        run.out.note(f"These are its first {timeline.CAP} events; the server shows no more of a session at once.")
        run.out.next(f"nullspend events list --session '{session}' --limit 0")
