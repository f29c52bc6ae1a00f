"""What was spent, by day and by whatever it can be grouped by."""

from typing import Annotated

import typer

from nullspend_cli import charts, cost_pages
from nullspend_cli.costing import COST, DIMENSIONS, Costs, below, read_dimension
from nullspend_cli.group import Noun
from nullspend_cli.options import COSTS, STANDARD, Limit
from nullspend_cli.output import Empty
from nullspend_cli.run import Run
from nullspend_cli.tables import column

EXAMPLES = {
    "summary": """
nullspend costs summary
nullspend costs summary --period 7d --exclude-estimated
nullspend costs summary --customer acme --since 2026-04-01
""",
    "daily": """
nullspend costs daily --period 90d
nullspend costs daily --key researcher --format csv
""",
    "by": """
nullspend costs by model
nullspend costs by tag team --period 7d
nullspend costs by customer acme
nullspend costs by session --model gpt-4o --since 24h
""",
    "tags": """
nullspend costs tags
""",
}
_NOTHING = Empty("Nothing was spent then.", "nullspend costs summary --period 90d")
_NO_TAGS = Empty("No event of the last 7 days has a tag.", "nullspend events report --help")
_SHARED = (*COSTS, *STANDARD)
_Words = Annotated[
    list[str], typer.Argument(metavar="DIM [VALUE]", help=f"{', '.join(DIMENSIONS)}; for tag its KEY follows.")
]

noun = Noun(EXAMPLES)


@noun.verb(shared=_SHARED)
def summary(run: Run) -> None:
    """Show a period at a glance: what was spent, day by day, on which models, by which keys."""
    costs = Costs(run)
    found = costs.summary()
    run.out.document(found, cost_pages.summary(found, costs.filled(found["daily"])), empty=_NOTHING)


@noun.verb(shared=_SHARED)
def daily(run: Run) -> None:
    """Show what each day cost, the days without spend included."""
    days = Costs(run).daily()
    total = {"date": "TOTAL", "isTotal": True, COST: sum(day[COST] for day in days)}
    columns = charts.spend_columns("date", "DAY", lambda row: row["date"], days, run.out.terminal, counted=False)
    if run.out.is_for_a_person and not total[COST]:
        days = []  # thirty lines of nothing say less than the sentence
    run.out.table(days, columns, empty=_NOTHING, id_field="date", below=[total])


@noun.verb(shared=_SHARED)
def by(run: Run, words: _Words, limit: Limit = None) -> None:
    """Show who or what the money went to, the dearest first; with a VALUE one key, customer or tag value alone.

    The rows add up: what is not listed stands in a row of its own. With filters the events are added up by the command.
    """
    dimension, tag, value = read_dimension(words)
    costs, dim = Costs(run), DIMENSIONS[dimension]
    if value is not None:
        value = run.names.key_id(value) if dimension == "key" and value != "(no key)" else value
        found = costs.one(dimension, tag, value)
        days = costs.filled([{"date": day["date"], COST: day["cost"]} for day in found["daily"]])
        run.out.document(found, cost_pages.one(found, words[-1], days), empty=_NOTHING, id_field="key")
        return
    groups = costs.by(dimension, tag)
    listed = groups.groups[: run.rows_wanted(limit) or None]
    rest = below(groups, listed, dim)
    columns = cost_pages.group_columns(dim, [*listed, *rest], run.out.terminal)
    run.out.table(listed, columns, empty=_NOTHING, id_field=dim.field, below=rest)


@noun.verb()
def tags(run: Run) -> None:
    """List the tag keys of the last 7 days: what `costs by tag` can group by."""
    keys = run.client.get("/api/cost-events/tag-keys").get("data", [])
    run.out.table([{"key": key} for key in keys], (column("key", "TAG"),), empty=_NO_TAGS, id_field="key")
