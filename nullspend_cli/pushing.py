"""`push`: the local daemon's cost events to another server, each of them once.

Two things keep an event from being stored twice. What has been acknowledged is remembered here, so it is not sent
again; and every event is sent under its own id as its idempotency key, so that a batch whose acknowledgement was lost
does no harm: the other server knows those events already.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from nullspend_cli import reporting, settings
from nullspend_cli.client import Auth, Client
from nullspend_cli.problems import Problem
from nullspend_cli.render import money
from nullspend_cli.replies import Record
from nullspend_daemon.contract.ids import Kind

FILE = "pushed.json"
_PATH = "/api/cost-events"
_SAME = (
    "provider",
    "model",
    "inputTokens",
    "outputTokens",
    "cachedInputTokens",
    "reasoningTokens",
    "costMicrodollars",
    "durationMs",
    "sessionId",
    "traceId",
    "eventType",
    "toolName",
)
_PARTS = ("input", "output", "cached", "reasoning")


class Span(NamedTuple):
    """Events from `start` to `end`, both included, in the order of `place`; `start` may be a time alone."""

    start: str
    end: str


def place(event: Record) -> str:
    """Where an event stands among the others: its time, then its id, as one text that sorts."""
    return f"{event['createdAt']} {event['id']}"


class Ledger:
    """What has been pushed from one data directory: by the server it went to, and by the organization it came from."""

    def __init__(self, folder: Path, to: str, org_id: str) -> None:
        self._path = folder / FILE
        self._all = self._read()
        self.is_new = to not in self._all
        mine: Any = self._all.setdefault(to, {})
        if not isinstance(mine, dict):
            raise self._damaged()
        self._mine, self._org_id = mine, org_id
        self.spans = [Span(str(start), str(end)) for start, end in mine.get(org_id, [])]

    def _read(self) -> dict[str, Any]:
        try:
            content: Any = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise self._damaged()
        return content

    def _damaged(self) -> Problem:
        return Problem(
            f"{self._path} is damaged; it holds what has been pushed so far.",
            next=f"Start afresh (the other server still knows what it has): rm '{self._path}'",
        )

    def holds(self, event: Record) -> bool:
        """Whether an event has been pushed."""
        return any(span.start <= place(event) <= span.end for span in self.spans)

    def floor(self, start: str) -> str:
        """The time from which on there can be something to push, when everything since `start` is wanted."""
        return max([start, *(span.end.partition(" ")[0] for span in self.spans if span.start <= start <= span.end)])

    def done(self, start: str, last: Record) -> None:
        """Everything from `start` to `last` is acknowledged: written down at once."""
        self.spans = joined([*self.spans, Span(start, place(last))])
        self._mine[self._org_id] = [list(span) for span in self.spans]
        settings.write_private(self._path, json.dumps(self._all, indent=2) + "\n")


def joined(spans: Sequence[Span]) -> list[Span]:
    """The same spans, those that touch made one."""
    whole: list[Span] = []
    for span in sorted(spans):
        if whole and span.start <= whole[-1].end:
            whole[-1] = Span(whole[-1].start, max(whole[-1].end, span.end))
        else:
            whole.append(span)
    return whole


def waiting(source: Client, ledger: Ledger, start: str) -> Iterator[list[Record]]:
    """The events that are still to be pushed, oldest first, a page at a time.

    Lists are newest first, so the pages are put aside in a temporary file and read from its end.
    """
    params = {"createdAfter": ledger.floor(start) or None}
    rows = source.pages(_PATH, Kind.COST_EVENT, params, auth=Auth.EITHER)
    with tempfile.TemporaryFile() as aside:
        starts = list(_put_aside((row for row in rows if not ledger.holds(row)), aside))
        for offset in reversed(starts):
            aside.seek(offset)
            yield list(reversed(json.loads(aside.readline())))


def _put_aside(rows: Iterator[Record], aside: IO[bytes]) -> Iterator[int]:
    page: list[Record] = []
    for row in rows:
        page.append(row)
        if len(page) == reporting.BATCH:
            yield _write(page, aside)
            page = []
    if page:
        yield _write(page, aside)


def _write(page: list[Record], aside: IO[bytes]) -> int:
    offset = aside.tell()
    aside.write(json.dumps(page).encode() + b"\n")
    return offset


def as_report(event: Record) -> Record:
    """A stored event as the other server takes it: what has no value is left out, and its id makes it unique there."""
    report = {field: event[field] for field in _SAME if event.get(field) is not None}
    breakdown = event.get("costBreakdown")
    if isinstance(breakdown, dict) and all(isinstance(breakdown.get(part), int) for part in _PARTS[:3]):
        report["costBreakdown"] = {part: breakdown[part] for part in _PARTS if isinstance(breakdown.get(part), int)}
    if event.get("customerId"):
        report["customer"] = event["customerId"]
    return {**report, "tags": event.get("tags") or {}, "idempotencyKey": event["id"]}


def push(
    source: Client, target: Client, ledger: Ledger, start: str, progress: Callable[[str], None]
) -> tuple[reporting.Totals, list[Record]]:
    """Sends what is still to be pushed; returns the totals, and which events the other server refused. Raises Problem,
    saying how far it got, when a server stops answering; the next push goes on from there."""
    totals, refused = reporting.Totals(), list[Record]()
    for page in waiting(source, ledger, start):
        lines = [reporting.Line(number, as_report(event)) for number, event in enumerate(page)]
        try:
            reporting.send(target, lines, totals)
        except Problem as problem:
            problem.lines = (*problem.lines, f"{totals.sentence} The next push goes on from there.")
            raise
        refused += [{"id": page[number]["id"], "reason": reason} for number, reason in totals.refused.items()]
        totals.refused.clear()
        ledger.done(start, page[-1])
        progress(totals.sentence)
    return totals, refused


def preview(source: Client, ledger: Ledger, start: str) -> Record:
    """How many events a push would send, and what they cost."""
    count = cost = 0
    for page in waiting(source, ledger, start):
        count += len(page)
        cost += sum(event["costMicrodollars"] for event in page)
    return {"events": count, "costMicrodollars": cost}


def refusal(refused: Sequence[Record]) -> Problem:
    """The problem to end with when the other server refused events: each is named, or the first ones of many."""
    named = [f"{event['id']}: {event['reason']}" for event in refused]
    count, more = len(named), len(named) - 20
    lines = [*named[:20], f"and {more:,} more; --json lists them all"] if more > 0 else named
    return Problem(f"{count:,} {'event was' if count == 1 else 'events were'} refused.", lines=tuple(lines))


def sentence(found: Record) -> str:
    """A preview for a person."""
    events = f"{found['events']:,} {'event' if found['events'] == 1 else 'events'}"
    return (
        f"Would push {events}, {money(found['costMicrodollars'])}." if found["events"] else "There is nothing to push."
    )
