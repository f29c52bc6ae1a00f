"""The filters of lists and exports, as SQL that stays quick when what is asked for is rare."""

from dataclasses import dataclass
from typing import Any

from nullspend_daemon.ledger.periods import DAY_MS
from nullspend_daemon.resources.cost_events.models import EventFilters
from nullspend_daemon.resources.cost_events.records import COLUMNS, SELECT
from nullspend_daemon.store.transaction import Tx

_FEW = ("request_id", "session_id", "trace_id", "customer_id")
"""Columns with an index of their own and few events a value, the fewest first."""
_MANY = ("model", "api_key_id", "budget_status")
"""Columns with an index of their own and many events a value."""
_ALL = ("provider", "source")
"""Columns without an index: most events match, or hardly any does."""
_COUNTED = ("provider", "model", "api_key_id", "source")
"""Columns of the day roll-ups."""
_RARE = 1_000
_TAGGED = (
    "EXISTS (SELECT 1 FROM cost_event_tags t WHERE t.event_seq = cost_events.seq AND t.org_id = cost_events.org_id"
    " AND t.tag_key = ? AND t.tag_value = ?)"
)
_AMONG_TAGGED = "seq IN (SELECT event_seq FROM cost_event_tags WHERE org_id = ? AND tag_key = ? AND tag_value = ?)"
_HOW_MANY_TAGGED = (
    "SELECT count(*) FROM (SELECT 1 FROM cost_event_tags WHERE org_id = ? AND tag_key = ? AND tag_value = ? LIMIT ?)"
)
_OF_THOSE_DAYS = (
    f"SELECT {COLUMNS} FROM (SELECT DISTINCT day AS of_day, model AS of_model FROM cost_days WHERE %s) CROSS JOIN"
    " cost_events INDEXED BY cost_events_model"
)
_ON_ITS_DAY = f"model = of_model AND created_at >= of_day * {DAY_MS} AND created_at < (of_day + 1) * {DAY_MS}"


@dataclass(slots=True)
class _Query:
    """A SELECT being put together."""

    source: str
    conditions: list[str]
    params: list[Any]

    def add(self, condition: str, *params: Any) -> None:
        self.conditions.append(condition)
        self.params += params

    @property
    def text(self) -> str:
        return f"{self.source} WHERE {' AND '.join(self.conditions)}"


def matching(tx: Tx, org_id: str, query: EventFilters) -> tuple[str, list[Any]]:
    """The SELECT of an org's events that match, without its order, and the parameters."""
    given = {column: getattr(query, column, None) for column in (*_FEW, *_MANY, *_ALL)}
    columns = {column: value for column, value in given.items() if value is not None}
    found = _Query(SELECT, [], [])
    if not columns.keys() & set(_FEW):
        _narrow(tx, org_id, query, columns, found)
    # A + in front keeps SQLite from using that column's index: without statistics it would pick any of them.
    indexed = next(iter(columns), "") if found.source == SELECT else ""
    found.add("org_id = ?", org_id)
    for column, value in columns.items():
        found.add(f"{'' if column == indexed else '+'}{column} = ?", value)
    for condition, name in (("created_at >= ?", "created_after"), ("created_at < ?", "created_before")):
        bound = getattr(query, name, None)
        if bound is not None:
            found.add(condition, bound)
    rare = None if columns.keys() & {*_FEW, *_MANY} else _rare_tag(tx, org_id, query.tags)
    if rare and found.source == SELECT:
        # Without an index the rows of the IN list are looked up one by one: a few, against all events of the org.
        found.source = f"{SELECT} NOT INDEXED"
    for key, value in query.tags.items():
        if key == rare:
            found.add(_AMONG_TAGGED, org_id, key, value)
        else:
            found.add(_TAGGED, key, value)
    return found.text, found.params


def _narrow(tx: Tx, org_id: str, query: EventFilters, columns: dict[str, Any], found: _Query) -> None:
    """Look only where the roll-ups know events of these columns: at or before the newest such day, and when they are
    few, at nothing but the models and days they are of.

    Without this a key's calls to a model, or a provider, would be looked for in every event there is.
    """
    asked = {column: columns[column] for column in _COUNTED if column in columns}
    if len(asked) < 2 and not asked.keys() & set(_ALL):
        return
    of_them = " AND ".join(["org_id = ?", *(f"{column} = ?" for column in asked)])
    params = [org_id, *asked.values()]
    for condition, bound in (("day >= ?", _first_day(query)), ("day <= ?", _last_day(query))):
        if bound is not None:
            of_them += f" AND {condition}"
            params.append(bound)
    newest, many = None, 0
    days = f"SELECT day, sum(requests) FROM cost_days WHERE {of_them} GROUP BY day ORDER BY day DESC"
    for day, requests in tx.execute(days, params):
        newest = day if newest is None else newest
        many += requests
        if many >= _RARE:
            break
    if newest is None:
        found.add("0")
    elif many >= _RARE:
        found.add("created_at < ?", (newest + 1) * DAY_MS)
    else:
        found.source = _OF_THOSE_DAYS % of_them
        found.params += params
        found.add(_ON_ITS_DAY)


def _first_day(query: EventFilters) -> int | None:
    after = getattr(query, "created_after", None)
    return None if after is None else after // DAY_MS


def _last_day(query: EventFilters) -> int | None:
    cursor, before = getattr(query, "cursor", None), getattr(query, "created_before", None)
    bounds = [bound for bound in (before, cursor and cursor.created_at) if bound is not None]
    return min(bounds) // DAY_MS if bounds else None


def _rare_tag(tx: Tx, org_id: str, tags: dict[str, str]) -> str | None:
    """The key of a tag few events carry."""
    for key, value in tags.items():
        if tx.value(_HOW_MANY_TAGGED, (org_id, key, value, _RARE)) < _RARE:
            return key
    return None
