"""What is left of each customer's revenue."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from nullspend_cli.group import Noun
from nullspend_cli.margin_view import columns, details, footer, left_over
from nullspend_cli.options import Limit
from nullspend_cli.output import Empty
from nullspend_cli.render import count, money
from nullspend_cli.replies import record, rows
from nullspend_cli.run import Run
from nullspend_cli.tables import column

EXAMPLES = {
    "list": """
nullspend margins list
nullspend margins list --month 2026-10 --format csv > margins.csv
""",
    "get": """
nullspend margins get acme
nullspend margins get acme --month 2026-10 --json
""",
    "unmatched": """
nullspend margins unmatched
""",
}
_NONE = Empty("No customer has both a mapping and revenue or cost in this month.", "nullspend margins unmatched")
_ALL_MATCHED = Empty("Everybody is matched.")
_LEFT_OVER = (
    column("kind", "WHAT"),
    column("tagValue", "CUSTOMER"),
    column("stripeCustomerId", "AT STRIPE"),
    column("customerName", "NAME"),
    column("totalRevenueMicrodollars", "REVENUE", money, right=True),
    column("totalCostMicrodollars", "COST", money, right=True),
    column("requestCount", "CALLS", count, right=True, wide=True),
    column("customerEmail", "EMAIL", wide=True),
    column("confidence", "SURE", wide=True),
    column("id", wide=True),
)

noun = Noun(EXAMPLES)

_Month = Annotated[
    str | None,
    typer.Option("--month", metavar="YYYY-MM", help="The month, in UTC; this one unless given.", show_default=False),
]


@noun.verb()
def list_(run: Run, month: _Month = None, limit: Limit = None) -> None:
    """List each mapped customer's revenue, cost and margin in a month, the worst first.

    The trend is three months and, lighter, what the fourth would be. A customer who costs money and pays none is
    critical.
    """
    table = record(run.client.get("/api/margins", {"period": month}))
    found = rows(table, under="customers")[: run.rows_wanted(limit) or None]
    shown = columns(run.out.terminal.glyphs)
    run.out.table(found, shown, empty=_NONE, id_field="tagValue", footer=footer(table.get("summary") or {}))


@noun.verb()
def get(
    run: Run,
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="As cost events name it.")],
    month: _Month = None,
) -> None:
    """Show one customer's months, and what each model cost for them."""
    found = record(run.client.get(f"/api/margins/{quote(customer, safe='')}", {"period": month}))
    run.out.record(found, details(), id_field="tagValue")


@noun.verb()
def unmatched(run: Run) -> None:
    """List who is left over: customers who pay without cost, customers who cost without paying, and guessed matches.

    A guess is confirmed with customers set.
    """
    found: list[Any] = left_over(record(run.client.get("/api/margins/unmatched")))
    run.out.table(found, _LEFT_OVER, empty=_ALL_MATCHED, id_field="subject")
    if found:
        run.out.hint("To match two: nullspend customers set CUSTOMER --stripe ID")
