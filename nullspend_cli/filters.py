"""`events list --since, --until, --customer`: sent to a server that knows these filters, else applied here."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from nullspend_cli.client import Auth, Client
from nullspend_cli.problems import ServerError
from nullspend_cli.replies import Record
from nullspend_cli.when import parse_moment
from nullspend_daemon.contract.ids import Kind

_PATH = "/api/cost-events"


class Span(NamedTuple):
    """Which events are wanted: `since` <= createdAt < `until` (ISO), and of which customer."""

    since: str | None
    until: str | None
    customer: str | None

    @classmethod
    def of(cls, since: str | None, until: str | None, customer: str | None, *, now_ms: int) -> "Span":
        """From what was typed. Raises TimeError."""
        return cls(since and parse_moment(since, now_ms), until and parse_moment(until, now_ms), customer)

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


def events(client: Client, params: Mapping[str, Any], span: Span, limit: int) -> Iterator[Record]:
    """The wanted events, newest first, as many as `limit` (0 is all)."""
    wanted = {name for name, value in span.params.items() if value}
    if not wanted or wanted <= _extensions(client):
        return client.pages(_PATH, Kind.COST_EVENT, {**params, **span.params}, limit=limit, auth=Auth.EITHER)
    everything = client.pages(_PATH, Kind.COST_EVENT, params, auth=Auth.EITHER)
    recent = itertools.takewhile(lambda event: not span.too_old(event), everything)
    return itertools.islice(filter(span.holds, recent), limit or None)


def _extensions(client: Client) -> set[str]:
    """The filters this server knows beyond the hosted service's. One without `/_local/info` knows none."""
    try:
        return set(client.get("/_local/info", auth=Auth.NONE).get("extensions", []))
    except ServerError:
        return set()
