"""Slack."""

from typing import Annotated, Any

import typer

from nullspend_cli.group import Noun
from nullspend_cli.options import Yes
from nullspend_cli.output import Empty
from nullspend_cli.problems import Missing
from nullspend_cli.replies import Record, record
from nullspend_cli.run import Run
from nullspend_cli.tables import column
from nullspend_cli.when import show_time

EXAMPLES = {
    "get": """
nullspend slack get
""",
    "set": """
nullspend slack set --channel '#agents' < webhook-url.txt
nullspend slack set --webhook-url https://hooks.slack.com/services/T000/B000/XXXX --user U012AB3CD
""",
    "delete": """
nullspend slack delete
""",
    "test": """
nullspend slack test
""",
}
COLUMNS = (
    column("webhookUrl", "WEBHOOK"),
    column("channelName", "CHANNEL"),
    column("slackUserId", "ONLY USER"),
    column("isActive", "ON"),
    column("createdAt", "CREATED", show_time),
    column("updatedAt", "CHANGED", show_time),
    column("id"),
)
_PATH = "/api/slack/config"
_SET = "nullspend slack set --webhook-url URL"

noun = Noun(EXAMPLES)


def _text(flag: str, help: str, metavar: str) -> Any:
    return typer.Option(flag, metavar=metavar, help=help, show_default=False)


@noun.verb()
def get(run: Run) -> None:
    """Show where requests and budget alerts go in Slack. The webhook's secret stays hidden."""
    found = _stored(run)
    if found is None:
        run.out.absent(Empty("Slack is not set up.", _SET))
    else:
        run.out.record(found, COLUMNS)


@noun.verb("set")
def set_(
    run: Run,
    webhook_url: Annotated[
        str | None, _text("--webhook-url", "Slack's incoming webhook; asked for unless given.", "URL")
    ] = None,
    channel: Annotated[str | None, _text("--channel", "The channel's name, for you to recognize.", "NAME")] = None,
    user: Annotated[str | None, _text("--user", "Only this Slack user may press the buttons.", "ID")] = None,
    off: Annotated[bool, typer.Option("--off", help="Keep it, but send nothing.")] = False,
) -> None:
    """Send requests for approval and budget alerts to Slack. What is not given is reset."""
    url = webhook_url or run.out.terminal.secret("webhook URL")
    given = {"channelName": channel, "slackUserId": user}
    body = {"webhookUrl": url, "isActive": not off, **{name: text for name, text in given.items() if text is not None}}
    after = record(run.client.post(_PATH, body))
    run.out.result("Slack is set up, but off." if off else "Slack hears of requests and budgets from now on.", after)
    if not off:
        run.out.hint("next: nullspend slack test")


@noun.verb()
def delete(run: Run, yes: Yes = False) -> None:
    """Stop telling Slack, and forget its webhook."""
    found = _stored(run)
    if found is None:
        raise Missing("Slack is not set up.", next=_SET)
    run.out.confirm(f"Stop telling Slack at {found['webhookUrl']}?", yes=yes)
    run.out.result("Slack hears nothing any more.", run.client.delete(_PATH), id_field="success")


@noun.verb()
def test(run: Run) -> None:
    """Send a test message to Slack, also while it is off."""
    run.out.result("Slack took the message.", run.client.post("/api/slack/test"), id_field="success")


def _stored(run: Run) -> Record | None:
    return record(run.client.get(_PATH)) or None
