"""The audit log."""

from typing import Annotated

import typer

from nullspend_cli import audit_log
from nullspend_cli.group import Noun
from nullspend_cli.options import Limit
from nullspend_cli.output import Empty
from nullspend_cli.render import plain
from nullspend_cli.run import Run
from nullspend_cli.tables import Column, column
from nullspend_cli.teams import Teams
from nullspend_cli.when import show_time

EXAMPLES = {
    "list": """
nullspend audit list
nullspend audit list --action member.removed
nullspend audit list --limit 0 --format jsonl > audit.jsonl
""",
    "tail": """
nullspend audit tail
nullspend audit tail --action api_key.created --format jsonl
""",
}
_NONE = Empty("Nothing has been changed yet.")

noun = Noun(EXAMPLES)

_Action = Annotated[
    str | None,
    typer.Option("--action", metavar="NAME", help="Only this action, such as member.removed.", show_default=False),
]


def _columns(teams: Teams) -> tuple[Column, ...]:
    return (
        column("createdAt", "TIME", show_time),
        column("actorId", "WHO", teams.who),
        column("action"),
        column("metadata", "DETAILS", plain),
        column("resourceId", "OBJECT", wide=True),
        column("id", wide=True),
    )


@noun.verb()
def list_(run: Run, action: _Action = None, limit: Limit = None) -> None:
    """List who changed what in the active organization, newest first. Admins and the owner may read it."""
    rows = audit_log.rows(run.client, action, run.rows_wanted(limit))
    run.out.table(rows, _columns(Teams(run.client)), empty=_NONE)


@noun.verb()
def tail(
    run: Run,
    action: _Action = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=0, help="Show the last N changes first.")] = 10,
    every: Annotated[float, typer.Option("--every", metavar="SECONDS", min=0.1, help="How often to look.")] = 2.0,
) -> None:
    """Show changes as they are made, oldest first, until Ctrl-C."""
    run.out.hint("Waiting for changes; Ctrl-C ends it.")
    found = audit_log.follow(run.client, action, first=limit, seconds=every)
    run.out.stream(found, _columns(Teams(run.client)))
