"""A session replayed: each call at its offset, as long as it took, against the whole session."""

from collections.abc import Callable, Sequence

from nullspend_cli import tables
from nullspend_cli.render import Glyphs, count, money, visible
from nullspend_cli.replies import Record
from nullspend_cli.tables import Column, column
from nullspend_cli.terminal import Terminal
from nullspend_cli.when import show_duration, show_time
from nullspend_daemon.contract.clock import from_iso

CAP = 200
"""How many events a session is shown with."""
_LANE = 16
_HEAD = (
    column("sessionId", "SESSION"),
    column("eventCount", "CALLS", count),
    column("totalCostMicrodollars", "COST", money),
    column("totalInputTokens", "INPUT TOKENS", count),
    column("totalOutputTokens", "OUTPUT TOKENS", count),
    column("startedAt", "STARTED", show_time),
    column("endedAt", "ENDED", show_time),
    column("totalDurationMs", "WORKED", show_duration),
)


def page(found: Record) -> Callable[[Terminal], str]:
    """A session's sums and its timeline; empty for a session nobody has heard of."""

    def draw(terminal: Terminal) -> str:
        events = found.get("events") or []
        if not events:
            return ""
        head = {"sessionId": found.get("sessionId"), **(found.get("summary") or {})}
        columns = _columns(_Times(events), terminal.glyphs)
        return f"{tables.record(_HEAD, head, terminal)}\n{tables.table(columns, events, terminal)}"

    return draw


class _Times:
    """When a session's calls began and ended, in ms since its beginning. An event is stored when its call has ended."""

    def __init__(self, events: Sequence[Record]) -> None:
        ends = [from_iso(str(event["createdAt"])) for event in events]
        starts = [end - (event.get("durationMs") or 0) for end, event in zip(ends, events, strict=True)]
        self._zero = min(starts)
        self._whole = max(1, max(ends) - self._zero)
        self._of = {id(event): (start, end) for event, start, end in zip(events, starts, ends, strict=True)}

    def offset(self, event: Record) -> str:
        """`+2m 5s`."""
        since = self._of[id(event)][0] - self._zero
        return f"+{show_duration(since) if since else '0s'}"

    def lane(self, event: Record, glyphs: Glyphs) -> str:
        """The call as a bar at its place in the session."""
        start, end = ((moment - self._zero) * _LANE // self._whole for moment in self._of[id(event)])
        start = min(start, _LANE - 1)
        length = max(1, end - start)
        return " " * start + glyphs.full * min(length, _LANE - start)


def _columns(times: _Times, glyphs: Glyphs) -> tuple[Column, ...]:
    return (
        column("offset", "AT", value=times.offset, right=True),
        column("lane", "", value=lambda event: times.lane(event, glyphs)),
        column("model", value=lambda event: visible(str(event.get("toolName") or event.get("model")))),
        column("inputTokens", "IN", count, right=True),
        column("outputTokens", "OUT", count, right=True),
        column("costMicrodollars", "COST", money, right=True),
        column("durationMs", "TOOK", show_duration, right=True),
        column("traceId", "TRACE", wide=True),
        column("id", wide=True),
    )
