"""Cost events."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from nullspend_cli import arithmetic, exporting, filters, live, reporting
from nullspend_cli import bodies as body_pages
from nullspend_cli.client import Auth
from nullspend_cli.group import Noun
from nullspend_cli.options import FILTERS, GLOBAL, STANDARD, Limit, Tags, Yes, money_option, tags_of
from nullspend_cli.output import Empty
from nullspend_cli.problems import Usage
from nullspend_cli.render import count, money
from nullspend_cli.replies import Record, record
from nullspend_cli.run import Run
from nullspend_cli.tables import column
from nullspend_cli.unseen import Unseen
from nullspend_cli.when import show_duration, show_time
from nullspend_daemon.contract.ids import Kind, parse_id

EXAMPLES = {
    "list": """
nullspend events list --limit 10
nullspend events list --key researcher --since 24h
nullspend events list --tag team=platform --model gpt-4o --format csv --limit 0 > events.csv
""",
    "get": """
nullspend events get ns_evt_019a0000-0000-7000-8000-000000000000
""",
    "tail": """
nullspend events tail
nullspend events tail --customer acme -n 0 --json
""",
    "export": """
nullspend events export events.csv
nullspend events export --since 2026-04-01 --until 2026-05-01 april.csv
nullspend events export --customer acme --format jsonl | jq .costMicrodollars
""",
    "bodies": """
nullspend events bodies ns_evt_019a0000-0000-7000-8000-000000000000
""",
    "explain": """
nullspend events explain ns_evt_019a0000-0000-7000-8000-000000000000
nullspend events explain ns_evt_019a0000-0000-7000-8000-000000000000 --jq '.lines[].microdollars'
""",
    "report": """
nullspend events report --provider openai --model gpt-4o --input-tokens 1200 --output-tokens 300 --cost '$0.0085'
nullspend events report --tool search --cost 2c --customer acme --tag team=platform
nullspend events report - < events.jsonl
""",
}

COLUMNS = (
    column("createdAt", "TIME", show_time),
    column("keyName", "KEY"),
    column("model", value=lambda row: f"{row.get('provider')}/{row.get('model')}"),
    column("inputTokens", "IN", count, right=True),
    column("outputTokens", "OUT", count, right=True),
    column("costMicrodollars", "COST", money, right=True),
    column("customerId", "CUSTOMER", wide=True),
    column("tags", wide=True),
    column("id", wide=True),
)
DETAILS = (
    column("id"),
    column("createdAt", "TIME", show_time),
    column("keyName", "KEY"),
    column("provider"),
    column("model"),
    column("eventType", "TYPE"),
    column("toolName", "TOOL"),
    column("inputTokens", "INPUT TOKENS", count),
    column("cachedInputTokens", "CACHED", count),
    column("outputTokens", "OUTPUT TOKENS", count),
    column("reasoningTokens", "REASONING", count),
    column("costMicrodollars", "COST", money),
    column(
        "costBreakdown", "MADE OF", lambda parts: ", ".join(f"{name} {money(part)}" for name, part in parts.items())
    ),
    column("estimatedCostMicrodollars", "ESTIMATE", money),
    column("budgetStatus", "BUDGET"),
    column("stopReason"),
    column("durationMs", "TOOK", show_duration),
    column("customerId", "CUSTOMER"),
    column("sessionId", "SESSION"),
    column("traceId", "TRACE"),
    column("tags"),
    column("source"),
    column("requestId", "REQUEST"),
)
_NONE = Empty("There are no cost events.", "nullspend events report --provider openai --model gpt-4o --cost '$0.01'")
_NO_BODIES = Empty(
    "No bodies of this call are stored: proxied calls have them while capturing is on, for some days.",
    "nullspend daemon restart --capture-bodies",
)
_TYPE = "cost_event.created"

noun = Noun(EXAMPLES)


def _text(flag: str, help: str, metavar: str = "TEXT") -> Any:
    return typer.Option(flag, metavar=metavar, help=help, show_default=False)


def _number(flag: str, help: str) -> Any:
    return typer.Option(flag, metavar="N", help=help, show_default=False)


@noun.verb(shared=(*FILTERS, *STANDARD))
def list_(
    run: Run,
    request: Annotated[str | None, _text("--request", "Of one request.", "ID")] = None,
    limit: Limit = None,
) -> None:
    """List cost events, newest first."""
    wanted = filters.given(run, requestId=request)
    run.out.table(filters.events(run.client, wanted, run.rows_wanted(limit)), COLUMNS, empty=_NONE)


@noun.verb(shared=(*FILTERS, *STANDARD))
def tail(
    run: Run,
    last: Annotated[int, typer.Option("--last", "-n", metavar="N", min=0, help="How many older events first.")] = 10,
) -> None:
    """Show cost events as they happen, until Ctrl-C.

    Nothing is lost while the server restarts. A local daemon tells at once; another server is asked every 5 seconds.
    """
    unseen = Unseen(filters.given(run), last)
    run.out.hint("Waiting for events; Ctrl-C ends it.")
    run.out.follow(live.follow(run.connect, unseen.look, types=(_TYPE,), say=run.out.note), COLUMNS)


@noun.verb(shared=(*FILTERS, *GLOBAL))
def export(
    run: Run,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="Where to; standard output unless given.", show_default=False),
    ] = None,
    format: Annotated[str, typer.Option("--format", metavar="|".join(exporting.FORMATS), help="How to write.")] = "csv",
    yes: Yes = False,
) -> None:
    """Write all matching cost events to a file, newest first.

    The server's own export ends after 10,000 rows; this one goes on until there are no more.
    """
    if format not in exporting.FORMATS:
        raise Usage(f"There is no format {format!r}; there are {', '.join(exporting.FORMATS)}.")
    if file and file.exists():
        run.out.confirm(f"Replace {file}?", yes=yes)
    pieces = exporting.lines(run.client, filters.given(run), format)
    with run.out.terminal.progress("Exporting") as progress:
        say = lambda rows: progress(f"Exporting: {count(rows)} rows")  # noqa: E731
        written = exporting.save(pieces, file, say) if file else exporting.write(pieces, run.out.text, say)
    run.out.note(f"{count(written)} {'row' if written == 1 else 'rows'} written{f' to {file}' if file else ''}.")


@noun.verb()
def bodies(run: Run, event: Annotated[str, typer.Argument(metavar="ID", help="Its id, ns_evt_ and a UUID.")]) -> None:
    """Show what a call sent and what it got, where bodies are captured."""
    event_id = parse_id(Kind.COST_EVENT, event, bare=True)
    found = record(run.client.get(f"/api/cost-events/{event_id}/bodies"))
    run.out.document(found, lambda terminal: body_pages.page(found, terminal), empty=_NO_BODIES, id_field="requestBody")


@noun.verb()
def get(run: Run, event: Annotated[str, typer.Argument(metavar="ID", help="Its id, ns_evt_ and a UUID.")]) -> None:
    """Show one cost event with everything that is known about it."""
    event_id = parse_id(Kind.COST_EVENT, event, bare=True)
    run.out.record(record(run.client.get(f"/api/cost-events/{event_id}"), Kind.COST_EVENT), DETAILS)


@noun.verb()
def explain(run: Run, event: Annotated[str, typer.Argument(metavar="ID", help="Its id, ns_evt_ and a UUID.")]) -> None:
    """Show the arithmetic of one event's cost: tokens times rate, the tier, the rounding, where the rates are from."""
    event_id = parse_id(Kind.COST_EVENT, event, bare=True)
    found = record(run.client.get(f"/_local/cost-events/{event_id}/explain", auth=Auth.ADMIN))
    run.out.record(found, arithmetic.columns(found), id_field="costMicrodollars")


@noun.verb()
def report(
    run: Run,
    lines: Annotated[
        str | None, typer.Argument(metavar="[-]", help="Read JSON lines from standard input.", show_default=False)
    ] = None,
    key: Annotated[str | None, _text("--key", "Report with a saved key.", "NAME")] = None,
    provider: Annotated[str | None, _text("--provider", "Who was paid.")] = None,
    model: Annotated[str | None, _text("--model", "What was used.")] = None,
    cost: Annotated[int | None, money_option("--cost", "What it cost.")] = None,
    input_tokens: Annotated[int, _number("--input-tokens", "Tokens sent, the cached ones included.")] = 0,
    output_tokens: Annotated[int, _number("--output-tokens", "Tokens received.")] = 0,
    cached_tokens: Annotated[int | None, _number("--cached-tokens", "Cached tokens among those sent.")] = None,
    reasoning_tokens: Annotated[
        int | None, _number("--reasoning-tokens", "Reasoning tokens among those received.")
    ] = None,
    tool: Annotated[str | None, _text("--tool", "The tool that was called; its provider is `tool`.", "NAME")] = None,
    customer: Annotated[str | None, _text("--customer", "For whom.", "ID")] = None,
    tag: Tags = None,
    session: Annotated[str | None, _text("--session", "In which session.", "ID")] = None,
    trace: Annotated[str | None, _text("--trace", "In which trace: 32 hex digits.", "ID")] = None,
    duration_ms: Annotated[int | None, _number("--duration-ms", "How long it took.")] = None,
    idempotency_key: Annotated[
        str | None, _text("--idempotency-key", "Store it only once under this key.", "KEY")
    ] = None,
) -> None:
    """Report spend: one event from options, or many from JSON lines on standard input.

    A line is the event as the API takes it, for example
    {"provider": "openai", "model": "gpt-4o", "inputTokens": 1200, "outputTokens": 300, "costMicrodollars": 8500}.
    Good lines are stored even when others are refused.
    """
    event = {
        "provider": provider or ("tool" if tool else None),
        "model": model or ("custom" if tool else None),
        "inputTokens": input_tokens,
        "outputTokens": output_tokens,
        "costMicrodollars": cost,
        "cachedInputTokens": cached_tokens,
        "reasoningTokens": reasoning_tokens,
        "eventType": "tool" if tool else None,
        "toolName": tool,
        "customer": customer,
        "tags": tags_of(tag),
        "sessionId": session,
        "traceId": trace,
        "durationMs": duration_ms,
        "idempotencyKey": idempotency_key,
    }
    if lines is None:
        _report_one(run, key, {field: value for field, value in event.items() if value is not None})
    elif lines == "-":
        _report_many(run, key)
    else:
        raise Usage(
            f"Events are read from standard input only, not from {lines!r}.",
            next=f"nullspend events report - < {lines}",
        )


def _report_one(run: Run, key: str | None, event: Record) -> None:
    missing = [f"--{field}" for field in ("provider", "model") if field not in event]
    missing += ["--cost"] if "costMicrodollars" not in event else []
    if missing:
        raise Usage(f"An event needs {', '.join(missing)}.", next="nullspend events report --help")
    once = event.get("idempotencyKey") or True
    stored = record(run.client_with(key).post("/api/cost-events", event, auth=Auth.KEY, once=once), Kind.COST_EVENT)
    run.out.result(
        f"Stored {money(event['costMicrodollars'])} for {event['provider']}/{event['model']}: {stored['id']}", stored
    )


def _report_many(run: Run, key: str | None) -> None:
    client = run.client_with(key)
    with run.out.terminal.progress("Sending events") as progress:
        totals = reporting.report_lines(client, sys.stdin, progress)
    if run.out.mode == "ids":
        run.out.text("".join(f"{event_id}\n" for event_id in totals.ids))
    else:
        run.out.result(totals.sentence, totals.record)
    if totals.refused:
        raise reporting.refusal(totals)
