"""The people of the local daemon."""

from typing import Annotated

import typer

from nullspend_cli.client import Auth
from nullspend_cli.group import Noun
from nullspend_cli.options import Limit
from nullspend_cli.output import Empty
from nullspend_cli.replies import record, rows
from nullspend_cli.run import Run
from nullspend_cli.tables import column
from nullspend_cli.when import show_time

EXAMPLES = {
    "list": """
nullspend users list
""",
    "create": """
nullspend users create ada@example.com --name Ada
nullspend keys list --as ada@example.com
""",
}
COLUMNS = (
    column("email"),
    column("name"),
    column("createdAt", "CREATED", show_time),
    column("userId", "ID", wide=True),
)
_NONE = Empty("There are no users.", "nullspend users create EMAIL")

noun = Noun(EXAMPLES)


@noun.verb()
def list_(run: Run, limit: Limit = None) -> None:
    """List the users of the local daemon, oldest first."""
    found = rows(run.client.get("/_local/users", auth=Auth.ADMIN))[: run.rows_wanted(limit) or None]
    run.out.table(found, COLUMNS, empty=_NONE, id_field="userId")


@noun.verb()
def create(
    run: Run,
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Their address; nothing is sent there.")],
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Their name.", show_default=False)] = None,
) -> None:
    """Add a user, so that teams can be lived through on one machine. Act as them with --as EMAIL."""
    body = {"email": email, **({"name": name} if name else {})}
    user = record(run.client.post("/_local/users", body, auth=Auth.ADMIN))
    run.out.result(f"Added {user['email']}. Act as them with --as {user['email']}.", user, id_field="userId")
