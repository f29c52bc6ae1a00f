"""Which events: the filters of every list, sent to a server that knows them, else applied here."""

import itertools
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from nullspend_cli.client import Auth, Client
from nullspend_cli.options import FILTERS, tags_of
from nullspend_cli.problems import ServerError
from nullspend_cli.replies import Record
from nullspend_cli.run import Run
from nullspend_cli.when import parse_moment
from nullspend_daemon.contract.ids import Kind

PATH = "/api/cost-events"
_known: dict[str, set[str]] = {}


class Span(NamedTuple):
    """Which events are wanted: `since` <= createdAt < `until` (ISO), and of which customer."""

    since: str | None = None
    until: str | None = None
    customer: str | None = None

    @property
    def params(self) -> dict[str, str | None]:
        """As query parameters, under the names a server lists them by."""
        return {"createdAfter": self.since, "createdBefore": self.until, "customerId": self.customer}

    def holds(self, event: Record) -> bool:
        """Whether an event is wanted, its age apart."""
        return (self.until is None or str(event["createdAt"]) < self.until) and self.customer in (
            None,
            event.get("customerId"),
        )

    def too_old(self, event: Record) -> bool:
        """Whether this and, newest first, every later event is older than wanted."""
        return self.since is not None and str(event["createdAt"]) < self.since


class Filters(NamedTuple):
    """What was asked for: `params` every server understands, the span not every one."""

    params: dict[str, Any]
    span: Span

    @property
    def anything(self) -> bool:
        """Whether anything narrows the list."""
        return any(self.params.values()) or any(self.span)

    def since(self, moment: str | None) -> "Filters":
        """The same, but not older than `moment` unless that is said already."""
        return self._replace(span=self.span._replace(since=self.span.since or moment))


def given(run: Run, **more: str | None) -> Filters:
    """The filters on the command line, with parameters that only one verb has. Raises TimeError, Missing."""
    typed = {option.name: run.given(option.name) for option in FILTERS}
    params = {
        "apiKeyId": run.names.key_id(typed["key"]) if typed["key"] else None,
        "provider": typed["provider"],
        "model": typed["model"],
        "source": typed["source"],
        "budgetStatus": typed["budget_status"],
        "sessionId": typed["session"],
        "traceId": typed["trace"],
        **{f"tag.{name}": value for name, value in (tags_of(typed["tag"]) or {}).items()},
        **more,
    }
    needs_now = typed["since"] or typed["until"]
    now = now_ms(run.client) if needs_now else 0
    moments = [typed[name] and parse_moment(typed[name], now) for name in ("since", "until")]
    return Filters(params, Span(moments[0], moments[1], typed["customer"]))


def now_ms(client: Client) -> int:
    """The time on the server: a daemon with a test clock lives in another month."""
    from nullspend_daemon.contract.clock import from_iso

    daemon = client.place.daemon
    if daemon is None or not daemon.test_clock:
        return time.time_ns() // 1_000_000
    return from_iso(str(client.get("/_local/info", auth=Auth.NONE)["now"]))


def events(client: Client, wanted: Filters, limit: int = 0, *, after: Record | None = None) -> Iterator[Record]:
    """The wanted events, newest first, as many as `limit` (0 is all), those after a cursor if one is given."""
    span = wanted.span
    named = {name for name, value in span.params.items() if value}
    if not named or named <= _extensions(client):
        return client.pages(
            PATH, Kind.COST_EVENT, {**wanted.params, **span.params}, limit=limit, auth=Auth.EITHER, after=after
        )
    everything = client.pages(PATH, Kind.COST_EVENT, wanted.params, auth=Auth.EITHER, after=after)
    recent = itertools.takewhile(lambda event: not span.too_old(event), everything)
    return itertools.islice(filter(span.holds, recent), limit or None)


def _extensions(client: Client) -> set[str]:
    """The filters this server knows beyond the hosted service's. One without `/_local/info` knows none."""
    origin = client.place.origin
    if origin not in _known:
        try:
            _known[origin] = set(client.get("/_local/info", auth=Auth.NONE).get("extensions", []))
        except ServerError:
            _known[origin] = set()
    return _known[origin]
