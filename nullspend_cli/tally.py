"""Adding events up here, in the shape of the server's own summary: for filters that the summary does not take."""

from collections.abc import Callable, Iterable
from typing import Any

from nullspend_cli.replies import Record

ESTIMATED = "_ns_estimated"
_COST, _COUNT = "totalCostMicrodollars", "requestCount"
_PARTS = {"inputCost": "input", "outputCost": "output", "cachedCost": "cached", "reasoningCost": "reasoning"}
NO_KEY, NO_VALUE = "(no key)", "(none)"


class Group:
    """Events that have something in common, added up."""

    def __init__(self, names: Record) -> None:
        self.names = names
        self.cost = 0
        self.count = 0

    def record(self) -> Record:
        return {**self.names, _COST: self.cost, _COUNT: self.count}


class Groups:
    """Events grouped by what `names` finds in them; events in which it finds nothing are left out."""

    def __init__(self, names: Callable[[Record], Record | None]) -> None:
        self._names = names
        self._groups: dict[Any, Group] = {}

    def add(self, event: Record) -> None:
        """Count an event."""
        names = self._names(event)
        if names is None:
            return
        key = tuple(names.values())
        group = self._groups.setdefault(key, Group(names))
        group.cost += event["costMicrodollars"]
        group.count += 1

    def records(self) -> list[Record]:
        """The groups, the dearest first, equal ones by name."""
        dearest = sorted(self._groups.items(), key=lambda item: (-item[1].cost, tuple(map(str, item[0]))))
        return [group.record() for _, group in dearest]


def _key(event: Record) -> Record:
    return {"key": event.get("keyName") or NO_KEY, "keyId": event.get("apiKeyId")}


def _known_key(event: Record) -> Record | None:
    return {"apiKeyId": event["apiKeyId"], "keyName": event.get("keyName")} if event.get("apiKeyId") else None


def _tool(event: Record) -> Record | None:
    return {"model": event["model"]} if event.get("eventType") == "tool" or event["provider"] == "mcp" else None


def _of(field: str) -> Callable[[Record], Record | None]:
    return lambda event: None if event.get(field) is None else {field: event[field]}


_SUMMARY: dict[str, Callable[[Record], Record | None]] = {
    "models": lambda event: {"provider": event["provider"], "model": event["model"]},
    "providers": _of("provider"),
    "keys": _known_key,
    "tools": _tool,
    "sources": _of("source"),
    "traces": _of("traceId"),
}


def counted(events: Iterable[Record], *, without_estimated: bool) -> Iterable[Record]:
    """The events that count."""
    return (event for event in events if not (without_estimated and (event.get("tags") or {}).get(ESTIMATED) == "true"))


def summary(events: Iterable[Record], period: str) -> Record:
    """What `GET /api/cost-events/summary` would say of these events."""
    groups = {name: Groups(names) for name, names in _SUMMARY.items()}
    days = Groups(lambda event: {"date": str(event["createdAt"])[:10]})
    parts = dict.fromkeys(_PARTS, 0)
    cost = count = 0
    for event in events:
        cost += event["costMicrodollars"]
        count += 1
        breakdown = event.get("costBreakdown") or {}
        for name, part in _PARTS.items():
            parts[name] += breakdown.get(part) or 0
        for each in (*groups.values(), days):
            each.add(event)
    daily = sorted(({"date": day["date"], _COST: day[_COST]} for day in days.records()), key=lambda day: day["date"])
    totals = {_COST: cost, "totalRequests": count, "period": period}
    shown = {name: max(0, part) for name, part in parts.items()}
    return {
        "daily": daily,
        **{name: each.records() for name, each in groups.items()},
        "totals": totals,
        "costBreakdown": shown,
    }


def attribution(events: Iterable[Record], group_by: str) -> list[Record]:
    """The groups of `GET /api/cost-events/attribution`: by key, customer or a tag; by session too."""
    names: dict[str, Callable[[Record], Record | None]] = {
        "api_key": _key,
        "customer": lambda event: {"key": event.get("customerId") or NO_VALUE, "keyId": None},
    }
    groups = Groups(
        names.get(group_by) or (lambda event: {"key": (event.get("tags") or {}).get(group_by, NO_VALUE), "keyId": None})
    )
    for event in events:
        groups.add(event)
    return [{**group, "avgCostMicrodollars": _average(group)} for group in groups.records()]


def sessions(events: Iterable[Record]) -> list[Record]:
    """The rows of `GET /api/cost-events/sessions`, of these events (newest first), the latest session first."""
    found: dict[str, Record] = {}
    for event in events:
        session, at = event.get("sessionId"), event["createdAt"]
        if session is None:
            continue
        row = found.setdefault(
            session, {"sessionId": session, "eventCount": 0, _COST: 0, "firstEventAt": at, "lastEventAt": at}
        )
        row["eventCount"] += 1
        row[_COST] += event["costMicrodollars"]
        row["firstEventAt"] = min(row["firstEventAt"], at)
        row["lastEventAt"] = max(row["lastEventAt"], at)
    return list(found.values())


def _average(group: Record) -> int:
    return (2 * group[_COST] + group[_COUNT]) // (2 * group[_COUNT]) if group[_COUNT] else 0
