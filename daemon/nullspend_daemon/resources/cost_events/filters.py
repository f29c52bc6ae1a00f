"""The filters of lists and exports, as SQL that stays quick when what is asked for is rare."""

from typing import Any

from nullspend_daemon.resources.cost_events.models import EventFilters
from nullspend_daemon.resources.cost_events.records import SELECT
from nullspend_daemon.store.transaction import Tx

_SELECTIVE = ("request_id", "session_id", "trace_id", "customer_id", "model", "api_key_id", "budget_status")
"""Columns with an index of their own, the most selective first: that one's is used, whatever else is asked for."""
_COMMON = ("provider", "source")
"""Columns with a few values each: most events match, or none does."""
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


def matching(tx: Tx, org_id: str, query: EventFilters) -> tuple[str, list[Any]]:
    """The SELECT of an org's events that match, without its order, and the parameters."""
    given = {column: getattr(query, column, None) for column in (*_SELECTIVE, *_COMMON)}
    columns = {column: value for column, value in given.items() if value is not None}
    if not _can_match(tx, org_id, columns):
        return f"{SELECT} WHERE 0", []
    # A + in front keeps SQLite from using that column's index: without statistics it would pick any of them.
    indexed = next(iter(columns), "")
    conditions = ["org_id = ?", *(f"{'' if column == indexed else '+'}{column} = ?" for column in columns)]
    params = [org_id, *columns.values()]
    for condition, name in (("created_at >= ?", "created_after"), ("created_at < ?", "created_before")):
        bound = getattr(query, name, None)
        if bound is not None:
            conditions.append(condition)
            params.append(bound)
    rare = None if columns.keys() & set(_SELECTIVE) else _rare_tag(tx, org_id, query.tags)
    for key, value in query.tags.items():
        conditions.append(_AMONG_TAGGED if key == rare else _TAGGED)
        params += [org_id, key, value] if key == rare else [key, value]
    # Without an index the rows of the IN list are looked up one by one: a few, against all events of the org.
    source = f"{SELECT} NOT INDEXED" if rare else SELECT
    return f"{source} WHERE {' AND '.join(conditions)}", params


def _can_match(tx: Tx, org_id: str, columns: dict[str, Any]) -> bool:
    """Whether the roll-ups know any event of these columns. Without this a provider that is nowhere would be looked for
    in every event."""
    if not columns.keys() & set(_COMMON):
        return True
    asked = {column: columns[column] for column in _COUNTED if column in columns}
    also = "".join(f" AND {column} = ?" for column in asked)
    sql = f"SELECT 1 FROM cost_days WHERE org_id = ?{also} LIMIT 1"
    return tx.value(sql, (org_id, *asked.values())) is not None


def _rare_tag(tx: Tx, org_id: str, tags: dict[str, str]) -> str | None:
    """The key of a tag few events carry."""
    for key, value in tags.items():
        if tx.value(_HOW_MANY_TAGGED, (org_id, key, value, _RARE)) < _RARE:
            return key
    return None
