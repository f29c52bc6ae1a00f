"""Webhooks: who hears of what happens."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from nullspend_cli import relaying, verifying
from nullspend_cli.client import Auth
from nullspend_cli.group import Noun
from nullspend_cli.options import Yes
from nullspend_cli.output import Empty
from nullspend_cli.problems import Problem, Usage
from nullspend_cli.render import Cell, plain
from nullspend_cli.replies import Record, record, rows
from nullspend_cli.run import Run
from nullspend_cli.tables import column
from nullspend_cli.when import parse_moment, show_time
from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.contract.ids import Kind, parse_id

EXAMPLES = {
    "list": """
nullspend webhooks list
nullspend webhooks list --json
""",
    "get": """
nullspend webhooks get https://example.com/hooks
""",
    "create": """
nullspend webhooks create https://example.com/hooks
nullspend webhooks create http://localhost:3000/hooks --events budget.exceeded,action.created --description "pager"
SECRET=$(nullspend webhooks create https://example.com/hooks --jq .signingSecret)
""",
    "update": """
nullspend webhooks update https://example.com/hooks --disable
nullspend webhooks update https://example.com/hooks --events all --thin
""",
    "delete": """
nullspend webhooks delete https://example.com/hooks
""",
    "test": """
nullspend webhooks test https://example.com/hooks
""",
    "rotate-secret": """
nullspend webhooks rotate-secret https://example.com/hooks
""",
    "deliveries": """
nullspend webhooks deliveries https://example.com/hooks
nullspend webhooks deliveries https://example.com/hooks --format ids
""",
    "resend": """
nullspend webhooks resend ns_del_019a0000-0000-7000-8000-000000000000
""",
    "listen": """
nullspend webhooks listen
nullspend webhooks listen --forward-to http://localhost:3000/hooks --events budget.exceeded,action.created
export WEBHOOK_SECRET=$(nullspend webhooks listen --print-secret)
""",
    "verify": """
nullspend webhooks verify --secret "$WEBHOOK_SECRET" --signature 't=1764000000,v1=5257a8...' body.json
curl -s https://example.com/last-body | nullspend webhooks verify --secret "$SECRET" --signature "$HEADER" -
""",
    "trigger": """
nullspend webhooks trigger budget.exceeded
nullspend webhooks trigger cost_event.created --set model=gpt-4o-mini --set cost_microdollars=250000
""",
}


def _state(enabled: Any) -> Cell:
    return Cell("enabled") if enabled else Cell("disabled", "dim")


def _events(names: Any) -> str:
    return plain(names) or "all"


_STYLES = {"delivered": "green", "pending": "yellow", "failed": "red"}

COLUMNS = (
    column("url", "URL"),
    column("eventTypes", "EVENTS", _events),
    column("enabled", "STATE", _state),
    column("payloadMode", "FORM", wide=True),
    column("description", wide=True),
    column("createdAt", "CREATED", show_time, wide=True),
    column("id", wide=True),
)
_SECRET = column("signingSecret", "SECRET")
_DETAILS = (
    column("id"),
    *COLUMNS[:5],
    column("apiVersion", "API VERSION"),
    column("createdAt", "CREATED", show_time),
    column("updatedAt", "UPDATED", show_time),
)
DELIVERIES = (
    column("createdAt", "TIME", show_time),
    column("eventType", "EVENT"),
    column("status", show=lambda status: Cell(str(status), _STYLES.get(str(status), ""))),
    column("attempts", right=True),
    column("responseStatus", "ANSWER", right=True, value=lambda row: _answer(row)),
    column("lastAttemptAt", "LAST TRIED", show_time, wide=True),
    column("id", wide=True),
    column("eventId", "EVENT ID", wide=True),
)
_NONE = Empty("There are no webhook endpoints.", "nullspend webhooks create https://example.com/hooks")
_NOTHING_SENT = Empty("Nothing has been sent to this endpoint yet.", "nullspend webhooks trigger test.ping")

noun = Noun(EXAMPLES)

_Webhook = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id, URL or description.")]
_Events = Annotated[
    str | None,
    typer.Option("--events", metavar="A,B|all", help="Only these events, such as budget.exceeded.", show_default=False),
]


def _answer(row: Record) -> Any:
    """The receiver's status; a word where it was tried and nobody answered."""
    return "none" if row.get("responseStatus") is None and row.get("attempts") else row.get("responseStatus")


def _types(events: str | None) -> list[str] | None:
    if events is None:
        return None
    return [] if events.strip() == "all" else [name.strip() for name in events.split(",") if name.strip()]


def _given(body: Record) -> Record:
    return {name: value for name, value in body.items() if value is not None}


@noun.verb()
def list_(run: Run) -> None:
    """List the webhook endpoints of the organization, newest first."""
    run.out.table(run.names.webhooks, COLUMNS, empty=_NONE)


@noun.verb()
def get(run: Run, webhook: _Webhook) -> None:
    """Show one endpoint. Its secret is shown only when it is made."""
    run.out.record(run.names.webhook(webhook), _DETAILS)


@noun.verb()
def create(
    run: Run,
    url: Annotated[str, typer.Argument(metavar="URL", help="Where to send events.")],
    events: _Events = None,
    description: Annotated[
        str | None, typer.Option("--description", metavar="TEXT", help="What it is for.", show_default=False)
    ] = None,
    thin: Annotated[bool, typer.Option("--thin", help="Send cost events as an address to fetch them from.")] = False,
) -> None:
    """Register an endpoint and print its signing secret, this once.

    Without --events it gets every event.
    """
    body = {
        "url": url,
        "eventTypes": _types(events),
        "description": description,
        "payloadMode": "thin" if thin else None,
    }
    created = record(run.client.post("/api/webhooks", _given(body)), Kind.WEBHOOK)
    run.out.record(created, (_SECRET, *_DETAILS))
    run.out.hint("Keep the secret now: it is not shown again. nullspend webhooks test sends a first message.")


@noun.verb()
def update(
    run: Run,
    webhook: _Webhook,
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="Send somewhere else.", show_default=False)
    ] = None,
    events: _Events = None,
    description: Annotated[
        str | None, typer.Option("--description", metavar="TEXT", help="What it is for.", show_default=False)
    ] = None,
    no_description: Annotated[bool, typer.Option("--no-description", help="Remove the description.")] = False,
    thin: Annotated[bool, typer.Option("--thin", help="Cost events as an address to fetch them from.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Cost events with all they say.")] = False,
    enable: Annotated[bool, typer.Option("--enable", help="Send to it.")] = False,
    disable: Annotated[bool, typer.Option("--disable", help="Send nothing more to it, what waits included.")] = False,
) -> None:
    """Change an endpoint; what is not given stays."""
    if (thin and full) or (enable and disable) or (description is not None and no_description):
        raise Usage("These options exclude each other.")
    body = _given(
        {
            "url": url,
            "eventTypes": _types(events),
            "description": description,
            "payloadMode": "thin" if thin else "full" if full else None,
            "enabled": True if enable else False if disable else None,
        }
    )
    body |= {"description": None} if no_description else {}
    if not body:
        raise Usage("Nothing to change was given.", next="nullspend webhooks update --help")
    found = run.names.webhook(webhook)
    after = record(run.client.patch(f"/api/webhooks/{found['id']}", body), Kind.WEBHOOK)
    run.out.result(f"Changed {after['url']}: {_events(after['eventTypes'])}, {_state(after['enabled']).text}.", after)


@noun.verb()
def delete(run: Run, webhook: _Webhook, yes: Yes = False) -> None:
    """Delete an endpoint with the record of its deliveries. Nothing more is sent to it."""
    found = run.names.webhook(webhook)
    run.out.confirm(f"Delete the webhook endpoint {found['url']}?", yes=yes)
    run.client.delete(f"/api/webhooks/{found['id']}")
    run.out.result(f"Deleted {found['url']}.", {"id": found["id"], "deleted": True})


@noun.verb()
def test(run: Run, webhook: _Webhook) -> None:
    """Send a test message now and show what the endpoint answers, also when it is disabled."""
    found = run.names.webhook(webhook)
    said = run.client.post(f"/api/webhooks/{found['id']}/test", auth=Auth.VOUCHED)
    preview, status = str(said.get("responsePreview") or ""), said.get("statusCode")
    if not said.get("success"):
        raise Problem(
            f"{found['url']} did not take the message: " + (f"it answered {status}." if status else f"{preview}."),
            lines=(preview,) if status and preview else (),
        )
    run.out.result(f"{found['url']} answered {status}{': ' + preview if preview else ''}.", {"id": found["id"], **said})


@noun.verb("rotate-secret")
def rotate_secret(run: Run, webhook: _Webhook, yes: Yes = False) -> None:
    """Make a new signing secret and print it, this once. The old one signs as well for 24 hours."""
    found = run.names.webhook(webhook)
    run.out.confirm(f"Give {found['url']} a new secret? A secret replaced earlier stops at once.", yes=yes)
    rotated = record(run.client.post(f"/api/webhooks/{found['id']}/rotate-secret"))
    run.out.record({"id": found["id"], **rotated}, (_SECRET, column("secretRotatedAt", "ROTATED", show_time)))
    run.out.hint("Until then messages carry both signatures: give receivers the new secret within 24 hours.")


@noun.verb()
def deliveries(run: Run, webhook: _Webhook) -> None:
    """List the newest 50 deliveries of an endpoint and what became of them."""
    found = rows(run.client.get(f"/api/webhooks/{run.names.webhook(webhook)['id']}/deliveries"), Kind.DELIVERY)
    failed = [row for row in found if row.get("status") == "failed"]
    footer = f"{len(failed)} failed. Again: nullspend webhooks resend {failed[0]['id']}" if failed else ""
    run.out.table(found, DELIVERIES, empty=_NOTHING_SENT, footer=footer)


@noun.verb()
def resend(
    run: Run, delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Its id, ns_del_ and a UUID.")]
) -> None:
    """Send the event of a delivery once more: to its endpoint, and to whoever runs `webhooks listen`."""
    again = run.client.post(f"/_local/deliveries/{parse_id(Kind.DELIVERY, delivery)}/resend", auth=Auth.ADMIN)
    run.out.result(f"On its way again as {again['id']}.", again)


@noun.verb()
def listen(
    run: Run,
    forward_to: Annotated[
        str | None,
        typer.Option("--forward-to", metavar="URL", help="Hand each event on, signed.", show_default=False),
    ] = None,
    events: _Events = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Begin with what happened since: 5m, 2h.", show_default=False),
    ] = None,
    print_secret: Annotated[
        bool, typer.Option("--print-secret", help="Only print the secret that events are signed with.")
    ] = False,
) -> None:
    """Show every event as it happens, until Ctrl-C, without registering anything.

    It goes on over a restart of the daemon and misses nothing. A receiver that fails is shown, not tried again.
    """
    secret = relaying.secret_of(run.place)
    if print_secret:
        run.out.text(f"{secret}\n")
        return
    target = None if forward_to is None else relaying.Target.of(forward_to, secret)
    start = parse_moment(since, time.time_ns() // 1_000_000) if since else None
    params = {"since": start, "orgId": run.names.org_id, "resent": "true"}
    found = relaying.events(run, params, _types(events) or [], target)
    run.out.stream(found, _FORWARDED if target else _LISTENED)


def _forwarded(said: Any) -> Cell:
    status = said.get("status")
    if status is None:
        return Cell(str(said.get("error") or "no answer"), "red")
    return Cell(str(status), "green" if 200 <= status < 300 else "red")


_LISTENED = (
    column("created_at", "TIME", lambda seconds: to_iso(int(seconds) * 1000)[11:19] + "Z"),
    column("type", "EVENT"),
    column("data", "ABOUT", value=relaying.about),
    column("id", wide=True),
)
_FORWARDED = (*_LISTENED[:2], column("forwarded", "ANSWER", _forwarded), *_LISTENED[2:])


@noun.verb()
def verify(
    run: Run,
    body: Annotated[str, typer.Argument(metavar="FILE|-", help="The body exactly as it came; - is standard input.")],
    signature: Annotated[str, typer.Option("--signature", metavar="HEADER", help="Its X-NullSpend-Signature.")],
    secret: Annotated[str, typer.Option("--secret", metavar="SECRET", help="The signing secret, whsec_ included.")],
    tolerance: Annotated[
        int, typer.Option("--tolerance", metavar="SECONDS", min=0, help="How old it may be; 0 is any age.")
    ] = 300,
) -> None:
    """Check that a message was signed with a secret, and say which part is wrong when it was not."""
    content = sys.stdin.buffer.read() if body == "-" else Path(body).read_bytes()
    signed_at = verifying.verify(secret, signature, content, now_s=int(time.time()), tolerance_s=tolerance)
    when = to_iso(signed_at * 1000)
    run.out.result(f"Valid: signed with this secret at {when}.", {"valid": True, "signedAt": when})


@noun.verb()
def trigger(
    run: Run,
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="An event of the catalogue, such as budget.exceeded.")],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="K=V",
            help="Another value; V is JSON or text, K may be a.b. Repeatable.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Fire an event with realistic content: endpoints, listeners and Slack get it like a real one."""
    body = {"type": type_, "object": relaying.overrides(set_ or []), "orgId": run.names.org_id}
    fired = run.client.post("/_local/trigger", body, auth=Auth.ADMIN)
    run.out.result(f"Fired {type_}: {fired['eventId']}", {"id": fired["eventId"], "type": type_})
