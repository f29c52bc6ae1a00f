"""What `costs` asks: the server's roll-ups where they answer the question, else the events themselves."""

import functools
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from nullspend_cli import filters, tally
from nullspend_cli.client import Auth, Client
from nullspend_cli.filters import Filters
from nullspend_cli.problems import Usage
from nullspend_cli.replies import Record, record, rows, with_prefixes
from nullspend_cli.run import Run
from nullspend_daemon.contract.clock import to_iso

PATH = "/api/cost-events"
COST, COUNT = "totalCostMicrodollars", "requestCount"
MOST_GROUPS = 500
_DAY_MS = 86_400_000


class Dimension(NamedTuple):
    """One way to group spend. `array` is its place in the summary; one without it is attributed. `rest` is what the
    groups do not cover."""

    title: str
    field: str
    name: Callable[[Record], Any]
    array: str = ""
    group_by: str = ""
    rest: str = "(others)"


DIMENSIONS = {
    "key": Dimension("KEY", "key", lambda row: row.get("key"), group_by="api_key"),
    "model": Dimension("MODEL", "model", lambda row: f"{row.get('provider')}/{row.get('model')}", "models"),
    "provider": Dimension("PROVIDER", "provider", lambda row: row.get("provider"), "providers"),
    "tag": Dimension("TAG", "key", lambda row: row.get("key")),
    "customer": Dimension("CUSTOMER", "key", lambda row: row.get("key"), group_by="customer"),
    "source": Dimension("SOURCE", "source", lambda row: row.get("source"), "sources"),
    "session": Dimension("SESSION", "sessionId", lambda row: row.get("sessionId"), rest="(no session)"),
    "trace": Dimension("TRACE", "traceId", lambda row: row.get("traceId"), "traces", rest="(other or none)"),
    "tool": Dimension("TOOL", "model", lambda row: row.get("model"), "tools", rest="(not a tool)"),
}


class Found(NamedTuple):
    """Groups, the dearest first, and what everything cost, them included; None where that is not known."""

    groups: list[Record]
    cost: int | None
    requests: int | None


class Costs:
    """One question: which period, which events."""

    def __init__(self, run: Run) -> None:
        self._client: Client = run.client
        self._waiting = run.out.terminal.waiting
        self.period = str(run.given("period", "30d"))
        self._without_estimated = bool(run.given("exclude_estimated"))
        self._wanted: Filters = filters.given(run)

    @property
    def days(self) -> int:
        """How many days the period has."""
        return int(self.period[:-1])

    @functools.cached_property
    def now_ms(self) -> int:
        """The time on the server."""
        return filters.now_ms(self._client)

    @property
    def _window(self) -> Record:
        return {"period": self.period, **({"excludeEstimated": "true"} if self._without_estimated else {})}

    def _starts(self) -> str:
        return to_iso((self.now_ms // _DAY_MS - self.days + 1) * _DAY_MS)

    def _events(self) -> Iterable[Record]:
        """The events in question, for what the server does not add up by itself."""
        wanted = self._wanted.since(self._starts())
        return tally.counted(filters.events(self._client, wanted), without_estimated=self._without_estimated)

    def summary(self) -> Record:
        """The summary of the period, or of the events that are wanted."""
        if self._wanted.anything:
            with self._waiting("Adding up events"):
                return tally.summary(self._events(), self.period)
        found = record(self._client.get(f"{PATH}/summary", self._window, auth=Auth.EITHER))
        return {**found, "keys": [with_prefixes(row, None) for row in found.get("keys", [])]}

    def daily(self) -> list[Record]:
        """Each day from the first to the last of the period, also those without spend."""
        return self.filled(self.summary()["daily"])

    def filled(self, daily: Sequence[Record]) -> list[Record]:
        """The days of a series, those without spend put in."""
        found = {str(day["date"]): day for day in daily}
        today = date.fromisoformat(to_iso(self.now_ms)[:10])
        first = min([*(date.fromisoformat(day) for day in found), today - timedelta(days=self.days - 1)])
        names = [str(first + timedelta(days=number)) for number in range((today - first).days + 1)]
        return [found.get(name, {"date": name, COST: 0}) for name in names]

    def by(self, dimension: str, tag: str | None) -> Found:
        """The groups of a dimension."""
        dim = DIMENSIONS[dimension]
        if dim.array:
            found = self.summary()
            return Found(found[dim.array], found["totals"][COST], found["totals"]["totalRequests"])
        if dimension == "session":
            return self._by_session()
        return self._attributed(tag or dim.group_by)

    def _attributed(self, group_by: str) -> Found:
        if self._wanted.anything:
            with self._waiting("Adding up events"):
                return _whole(tally.attribution(self._events(), group_by))
        query = {**self._window, "groupBy": group_by, "limit": MOST_GROUPS}
        found = record(self._client.get(f"{PATH}/attribution", query))
        totals = found.get("totals", {})
        return Found(rows(found, under="groups"), totals.get(COST), totals.get("totalRequests"))

    def _by_session(self) -> Found:
        """Sessions by what they cost within the period; one that began before it counts with its events since."""
        with self._waiting("Adding up events"):
            groups = tally.sessions(self._events())
        found = [{**row, COUNT: row["eventCount"]} for row in groups]
        return _whole(sorted(found, key=lambda row: (-row[COST], row["sessionId"])))

    def one(self, dimension: str, tag: str | None, value: str) -> Record:
        """One group by day and by model. Raises Usage for a dimension that has no such page."""
        group_by = tag or DIMENSIONS[dimension].group_by
        if not group_by:
            raise Usage(
                f"costs by {dimension} takes no value.", next=f"nullspend costs summary --{dimension} '{value}'"
            )
        from urllib.parse import quote

        found = self._client.get(f"{PATH}/attribution/{quote(value, safe='')}", {**self._window, "groupBy": group_by})
        return record(found)


def _whole(groups: list[Record]) -> Found:
    return Found(groups, sum(row[COST] for row in groups), sum(row[COUNT] for row in groups))


def below(found: Found, shown: Sequence[Record], dim: Dimension) -> list[Record]:
    """The rows below the groups that are shown: the rest, if any, and the total, so that the column adds up."""
    cost, requests = sum(row[COST] for row in shown), sum(row[COUNT] for row in shown)
    total_cost, total_requests = found.cost or cost, found.requests or requests
    left = (total_cost - cost, total_requests - requests)
    rest = {dim.field: dim.rest, "isRest": True, COST: left[0], COUNT: left[1]}
    total = {dim.field: "TOTAL", "isTotal": True, COST: total_cost, COUNT: total_requests}
    return [*([rest] if max(left) > 0 else []), total]


def read_dimension(words: Sequence[str]) -> tuple[str, str | None, str | None]:
    """(dimension, tag key, value) of the words after `costs by`. Raises Usage."""
    dimension, *more = words
    if dimension not in DIMENSIONS:
        raise Usage(f"Costs are not grouped by {dimension!r}; there are {', '.join(DIMENSIONS)}.")
    tag = more.pop(0) if dimension == "tag" and more else None
    if dimension == "tag" and tag is None:
        raise Usage("Which tag? Write costs by tag KEY.", next="nullspend costs tags")
    if len(more) > 1:
        raise Usage(f"{more[1]!r} is one word too many.", next="nullspend costs by --help")
    return dimension, tag, more[0] if more else None
