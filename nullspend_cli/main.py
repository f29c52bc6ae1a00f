"""The root of the command: the table of nouns, and what becomes of exceptions."""

import os
import sys
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import typer

from nullspend_cli.group import Entry, Root, UsageError, invoke, usage_of
from nullspend_cli.problems import Problem, problem_of, wants_traceback
from nullspend_cli.run import State
from nullspend_cli.tree import exists, root_of

_ENTRIES = (
    Entry("quickstart", "Start here", "From nothing to a budget with real spend on it."),
    Entry("run", "Start here", "A command with a cap on what it may spend."),
    Entry("help", "Start here", "Help on a command, or on a topic such as exit-codes."),
    Entry("version", "Start here", "The versions of the command and of the server."),
    Entry("completion", "Start here", "A completion script for your shell."),
    Entry("keys", "Money", "API keys: what agents call with and spend is counted under."),
    Entry("budgets", "Money", "How much may be spent, by whom, until when."),
    Entry("events", "Money", "What was spent: one record a call."),
    Entry("top", "Money", "Watch the spend as it happens."),
    Entry("sessions", "Money", "What an agent's session cost, step by step."),
    Entry("costs", "Money", "Where the money went: by day, model, key, customer, tag."),
    Entry("prices", "Money", "What models cost, and your own prices."),
    Entry("policy", "Money", "What a key may do right now."),
    Entry("actions", "Approvals", "What agents ask for, and what people decide.", ("approvals",)),
    Entry("slack", "Approvals", "Hear of requests and budgets in Slack."),
    Entry("webhooks", "Systems", "Who hears of what happens, signed."),
    Entry("orgs", "Teams", "Organizations: yours alone, and those you share."),
    Entry("members", "Teams", "Who is in an organization, and what they may do."),
    Entry("invites", "Teams", "Invitations to an organization."),
    Entry("audit", "Teams", "Who changed what."),
    Entry("tools", "Revenue", "What a call of a tool costs."),
    Entry("billing", "Revenue", "Your plan, and your own Stripe account."),
    Entry("customers", "Revenue", "Which customer at Stripe is which customer of yours."),
    Entry("margins", "Revenue", "What is left of each customer's revenue."),
    Entry("daemon", "The server on this machine", "Run, start, stop and look after the local server."),
    Entry("clock", "The server on this machine", "The test clock: let a month pass at once."),
    Entry("users", "The server on this machine", "The people the local server knows."),
    Entry("push", "Who and where", "Local cost events to another server."),
    Entry("api", "Who and where", "Any request to the server, by hand."),
    Entry("open", "Who and where", "The server's dashboard."),
    Entry("doctor", "Who and where", "What is wrong here, and what mends it."),
    Entry("auth", "Who and where", "Who you are to the server."),
    Entry("contexts", "Who and where", "The servers you use."),
    Entry("config", "Who and where", "The command's own settings."),
)


class _Root(Root):
    entries: ClassVar[Mapping[str, Entry]] = {entry.name: entry for entry in _ENTRIES}


app = typer.Typer(
    cls=_Root,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
    epilog="Topics: nullspend help exit-codes, environment, output, contexts, money.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from nullspend_daemon import __version__

        typer.echo(f"nullspend {__version__}")
        raise typer.Exit


_Version = Annotated[
    bool, typer.Option("--version", "-V", help="Print the version.", is_eager=True, callback=_print_version)
]


@app.callback()
def _root(_version: _Version = False) -> None:
    """Budgets that stop an AI agent before it spends: the NullSpend command."""


def tree() -> Any:
    """The whole command tree, as a group Typer can run."""
    return typer.main.get_group(app)


def run(arguments: list[str]) -> int:
    """Runs one command line of this process and returns its exit code. Never raises."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    state = State()
    try:
        invoke(tree(), arguments, state)
        sys.stdout.flush()
    except typer.Exit as done:
        return done.exit_code
    except BrokenPipeError:
        return _nobody_reads()
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return 130
    except UsageError as error:
        return _report(usage_of(error), state)
    except Exception as error:  # noqa: BLE001 - the last place before the user: every exception becomes a sentence
        return _failed(error, state)
    return 0


def _failed(error: Exception, state: State) -> int:
    if wants_traceback() and not isinstance(error, Problem):
        import traceback

        traceback.print_exception(error)
    return _report(problem_of(error), state)


def _report(problem: Problem, state: State) -> int:
    from nullspend_cli.output import Output
    from nullspend_cli.terminal import Terminal

    try:
        out = state.out
    except Problem:
        out = Output(Terminal())  # the settings themselves are the problem
    if problem.next.startswith("nullspend ") and not exists(problem.next, root_of(tree())):
        problem.next = ""  # the server's advice may name a command this version does not have
    out.error(problem)
    return problem.exit_code


def _nobody_reads() -> int:
    """The reader has seen enough, as `head` does. Python must not complain about it while it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
