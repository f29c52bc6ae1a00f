"""Which customer at Stripe is which customer of the cost events."""

from typing import Annotated
from urllib.parse import urlencode

import typer

from nullspend_cli import replies
from nullspend_cli.client import Client
from nullspend_cli.group import Noun
from nullspend_cli.names import only
from nullspend_cli.options import Limit, Yes
from nullspend_cli.output import Empty
from nullspend_cli.replies import Record, record
from nullspend_cli.run import Run
from nullspend_cli.tables import column
from nullspend_cli.when import show_time

EXAMPLES = {
    "list": """
nullspend customers list
""",
    "set": """
nullspend customers set acme --stripe cus_0123456789
nullspend customers set emea --stripe cus_0123456789 --tag-key region
""",
    "delete": """
nullspend customers delete acme
""",
}
COLUMNS = (
    column("tagValue", "CUSTOMER"),
    column("stripeCustomerId", "AT STRIPE"),
    column("tagKey", "TAG"),
    column("matchType", "MATCHED", lambda how: "by itself" if how == "auto" else "by hand"),
    column("confidence", wide=True),
    column("createdAt", "CREATED", show_time, wide=True),
    column("id", wide=True),
)
_NONE = Empty("No customers are mapped yet.", "nullspend margins unmatched")

noun = Noun(EXAMPLES)


def _mappings(client: Client) -> list[Record]:
    return replies.rows(client.get("/api/customer-mappings"))


@noun.verb()
def list_(run: Run, limit: Limit = None) -> None:
    """List which customer at Stripe is which customer of yours, oldest first."""
    run.out.table(_mappings(run.client)[: run.rows_wanted(limit) or None], COLUMNS, empty=_NONE)


@noun.verb("set")
def set_(
    run: Run,
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="As cost events name it: the tag's value.")],
    stripe: Annotated[
        str, typer.Option("--stripe", metavar="ID", help="The customer's id at Stripe: cus_...", show_default=False)
    ],
    tag_key: Annotated[
        str, typer.Option("--tag-key", metavar="KEY", help="The tag; margins count `customer` only.")
    ] = "customer",
) -> None:
    """Say which customer at Stripe pays for which customer of yours. It confirms an automatic match too."""
    body = {"stripeCustomerId": stripe, "tagKey": tag_key, "tagValue": customer, "matchType": "manual"}
    made = record(run.client.post("/api/customer-mappings", body))
    run.out.result(f"{made['stripeCustomerId']} pays for {made['tagKey']} {made['tagValue']}.", made)


@noun.verb()
def delete(
    run: Run,
    customer: Annotated[
        str, typer.Argument(metavar="CUSTOMER", help="Its name, its id at Stripe, or the mapping's id.")
    ],
    yes: Yes = False,
) -> None:
    """Delete a mapping. Revenue and cost stay; they are no longer set against each other."""
    found = only(
        [row for row in _mappings(run.client) if customer in (row["tagValue"], row["stripeCustomerId"], row["id"])],
        f"There is no mapping of {customer!r}.",
        "nullspend customers list",
        f"Several mappings answer to {customer!r}:",
        lambda row: f"{row['id']}  {row['tagKey']}={row['tagValue']}  {row['stripeCustomerId']}",
    )
    question = f"Delete the mapping of {found['tagKey']} {found['tagValue']} to {found['stripeCustomerId']}?"
    run.out.confirm(question, yes=yes)
    reply = record(run.client.delete(f"/api/customer-mappings?{urlencode({'id': found['id']})}"))
    run.out.result(f"Deleted the mapping of {found['tagValue']}.", {"id": found["id"], **reply})
