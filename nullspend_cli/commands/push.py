"""Local cost events to another server."""

import time
from pathlib import Path
from typing import Annotated

import typer

from nullspend_cli import local, pushing
from nullspend_cli.contexts import choose
from nullspend_cli.group import Single
from nullspend_cli.patience import LONG
from nullspend_cli.places import Place
from nullspend_cli.problems import Usage
from nullspend_cli.replies import record
from nullspend_cli.run import Run
from nullspend_cli.when import parse_moment

EXAMPLES = """
nullspend push --to production
nullspend push --to production --since 7d
nullspend push --to production --dry-run
"""


def push(
    run: Run,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="CONTEXT",
            help="The server they go to; the chosen context unless given.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Not older than this: 2h, 7d, 2026-04-01.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many there are.")] = False,
) -> None:
    """Send the local daemon's cost events to another server, oldest first, each of them once.

    What has been pushed is not sent again, and a push that was interrupted goes on where it stopped. There the events
    belong to the context's API key, carry the time they arrive at, and count against its budgets.
    """
    place = _target(run, to)
    daemon = local.required()
    source = run.client_of(daemon)
    start = parse_moment(since, time.time_ns() // 1_000_000) if since else ""
    org_id = str(record(source.get("/api/auth/session"))["orgId"])
    ledger = pushing.Ledger(Path(daemon.data_dir), place.vault, org_id)
    if dry_run:
        found = pushing.preview(source, ledger, start)
        run.out.result(pushing.sentence(found), found, id_field="events")
        return
    if ledger.is_new:
        run.out.note(
            f"Pushed events carry the time {place.origin} receives them at, and are charged to its budgets. "
            f"This is said once for {place.name}."
        )
    with run.out.terminal.progress("Pushing events") as progress:
        totals, refused = pushing.push(source, run.state.client_at(place, patience=LONG), ledger, start, progress)
    done = {"stored": totals.stored, "duplicates": totals.duplicates, "refused": refused}
    run.out.result(totals.sentence, done, id_field="stored")
    if refused:
        raise pushing.refusal(refused)


def _target(run: Run, to: str | None) -> Place:
    place = choose(to, run.state.config, run.state.project) if to else run.place
    if place.daemon:
        raise Usage(
            "Events are pushed from the local daemon to another server; say which with --to CONTEXT.",
            next="nullspend contexts list",
        )
    return place


command = Single(EXAMPLES, push)
