"""A command with a cap on what it may spend."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from nullspend_cli import processes
from nullspend_cli.capped import allowance, reports, spending
from nullspend_cli.capped.allowance import Limits
from nullspend_cli.capped.ground import Ground
from nullspend_cli.client import Auth
from nullspend_cli.group import Single
from nullspend_cli.options import GLOBAL, Tags, money_option, tags_of
from nullspend_cli.problems import Missing, Problem, Usage
from nullspend_cli.run import Run

EXAMPLES = """
nullspend run --budget '$2' -- python agent.py
nullspend run --budget '$2' --report cost.md --fail-on-denied -- npm test
nullspend run --upstream fake --budget 10c -- python agent.py
"""
DENIED = 6
_Command = Annotated[list[str], typer.Argument(metavar="COMMAND ...", help="What to run, after --.")]


def run_(
    run: Run,
    command: _Command,
    budget: Annotated[int | None, money_option("--budget", "What the whole run may cost.")] = None,
    session_max: Annotated[int | None, money_option("--session-max", "What its session may cost.")] = None,
    velocity: Annotated[int | None, money_option("--velocity", "What it may cost in any minute.")] = None,
    tag: Tags = None,
    upstream: Annotated[
        list[str] | None,
        typer.Option(
            "--upstream",
            metavar="NAME=URL[,free]|fake",
            help="Where calls go, as for the daemon; implies a private daemon. Repeatable.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a report: *.md, *.json or *.xml (JUnit).", show_default=False),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the key, its budget and a private daemon.")] = False,
    fail_on_denied: Annotated[bool, typer.Option("--fail-on-denied", help="Exit 6 when a call was denied.")] = False,
) -> None:
    """Run a command whose OpenAI and Anthropic calls may cost so much and no more.

    The local daemon is used, or a private one is started for the duration. The command gets a key of its own in its
    environment, and base URLs that lead through the enforcing proxy; the key dies with the command. Its exit code is
    kept. Calls made around the proxy are not seen.
    """
    if report:
        reports.format_of(report)
    program = _found(command[0])
    name = allowance.new_name("run")
    with run.out.terminal.waiting("Preparing the run"):
        ground = Ground(name, upstreams=upstream or (), keep=keep)
    try:
        done = _capped(run, ground, name, (program, *command[1:]), Limits(budget, session_max, velocity), tags_of(tag))
    finally:
        ground.leave()
    _tell(run, ground, done._replace(command=tuple(command)), report, name if keep else "")
    raise typer.Exit(DENIED if fail_on_denied and done.spending.denials else done.exit_code)


def _found(program: str) -> str:
    """The program's path. Raises Missing."""
    import shutil

    path = shutil.which(program)
    if path is None:
        raise Missing(f"There is no program {program!r} to run.", next="nullspend run --help")
    return path


def _capped(
    run: Run, ground: Ground, name: str, command: tuple[str, ...], limits: Limits, tags: dict[str, str] | None
) -> reports.Report:
    client = run.client_of(ground.daemon)
    allowed = allowance.make(client, name, limits, tags)
    since, started = str(client.get("/_local/info", auth=Auth.NONE)["now"]), time.monotonic()
    try:
        code = processes.run_child(command, {**os.environ, **ground.variables(allowed.raw, name)})
    except OSError as error:
        raise Problem(f"{command[0]} could not be started: {error.strerror}.") from None
    seconds = time.monotonic() - started
    with run.out.terminal.waiting("Waiting for calls in flight"):
        return reports.Report(command, code, seconds, limits, spending.read(client, allowed.key_id, since))


def _tell(run: Run, ground: Ground, report: reports.Report, path: Path | None, kept: str) -> None:
    for line in reports.lines(report):
        run.out.note(line)
    if kept:
        where = f"; its private daemon runs on {ground.daemon.url}, data in {ground.folder}" if ground.private else ""
        run.out.note(f"Kept the key {kept}{where}.")
    try:
        reports.write(report, path)
    except OSError as error:
        raise Usage(f"The report could not be written to {error.filename}: {error.strerror}.") from None


command = Single(EXAMPLES, run_, GLOBAL[2:], passes_on=True)
