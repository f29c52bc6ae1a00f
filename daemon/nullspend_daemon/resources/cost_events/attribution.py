"""GET /api/cost-events/attribution and /:key: who spent it, by key, by customer or by a tag of the user's choosing."""

from typing import Annotated, Any, Literal

from pydantic import StringConstraints

from nullspend_daemon.contract.ids import InvalidId, Kind, parse_id
from nullspend_daemon.contract.money import usd_text
from nullspend_daemon.errors import InvalidKey
from nullspend_daemon.http.route import Call, Document, Record
from nullspend_daemon.http.windows import Window, WindowQuery, average, date_of, shown
from nullspend_daemon.http.wire import whole_text
from nullspend_daemon.ledger.rollups import CUSTOMER_LABEL, tag_label
from nullspend_daemon.resources.cost_events.csv import attachment, csv_text
from nullspend_daemon.resources.cost_events.summary import key_names
from nullspend_daemon.store.transaction import Tx

BY_KEY = "api_key"
BY_CUSTOMER = "customer"
NO_KEY = "(no key)"
NO_VALUE = "(none)"
GroupBy = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[a-zA-Z_][a-zA-Z0-9_-]*$")]
_COLUMNS = (
    "key",
    "key_id",
    "total_cost_microdollars",
    "total_cost_usd",
    "request_count",
    "avg_cost_microdollars",
    "avg_cost_usd",
)
Sums = tuple[int, int]


class AttributionDetailQuery(WindowQuery):
    """Query of GET /api/cost-events/attribution/:key."""

    group_by: GroupBy


class AttributionQuery(AttributionDetailQuery):
    """Query of GET /api/cost-events/attribution."""

    limit: Annotated[int, whole_text(1, 500)] = 100
    format: Literal["json", "csv"] = "json"


def attribute(tx: Tx, call: Call[None, AttributionQuery]) -> Record | Document:
    """Attribute spend to keys, customers or the values of a tag, the dearest first."""
    query, org_id = call.query, call.caller.org_id
    window = query.window(tx.now_ms)
    total = _total(tx, org_id, window)
    groups = _by_key(tx, org_id, window) if query.group_by == BY_KEY else _by_label(tx, org_id, window, query.group_by)
    dearest = sorted(groups, key=lambda group: (-group["totalCostMicrodollars"], group["key"], group["keyId"] or ""))
    listed = dearest[: query.limit]
    if query.format == "csv":
        return attachment(_csv(listed), f"nullspend-attribution-{query.group_by}", tx.now_ms)
    return {
        "groups": listed,
        "period": query.period,
        "groupBy": query.group_by,
        "totalGroups": len(listed),
        "hasMore": len(dearest) > len(listed),
        "totals": {"totalCostMicrodollars": shown(total[0]), "totalRequests": shown(total[1])},
    }


def attribute_one(tx: Tx, call: Call[None, AttributionDetailQuery]) -> Record:
    """Show one group's spend by day and by model."""
    query, key = call.query, call.params["key"]
    window = query.window(tx.now_ms)
    rows = _rows_of(tx, call.caller.org_id, window, query.group_by, key)
    cost, requests = sum(row[2] for row in rows), sum(row[3] for row in rows)
    return {
        "key": key,
        "totalCostMicrodollars": shown(cost),
        "requestCount": shown(requests),
        "avgCostMicrodollars": average(shown(cost), requests),
        "daily": [{"date": date_of(day), **sums} for day, sums in sorted(_summed(rows, 0).items())],
        "models": sorted(
            ({"model": model, **sums} for model, sums in _summed(rows, 1).items()),
            key=lambda each: (-each["cost"], each["model"]),
        ),
    }


def read_group_key(text: str) -> str:
    """The `{key}` of a path. Raises InvalidKey for what could be mistaken for a path."""
    if "/" in text or ".." in text:
        raise InvalidKey("The key must not contain / or ..")
    return text


def _group(key: str, key_id: str | None, sums: Sums) -> Record:
    cost, requests = shown(sums[0]), shown(sums[1])
    return {
        "key": key,
        "keyId": key_id,
        "totalCostMicrodollars": cost,
        "requestCount": requests,
        "avgCostMicrodollars": average(cost, requests),
    }


def _total(tx: Tx, org_id: str, window: Window) -> Sums:
    condition, params = window.condition()
    row = tx.all(
        "SELECT coalesce(sum(cost_microdollars), 0) AS cost, coalesce(sum(requests), 0) AS requests FROM cost_days"
        f" WHERE org_id = ? AND {condition}",
        (org_id, *params),
    )[0]
    return row["cost"], row["requests"]


def _by_key(tx: Tx, org_id: str, window: Window) -> list[Record]:
    condition, params = window.condition()
    names = key_names(tx, org_id)
    rows = tx.all(
        "SELECT api_key_id, sum(cost_microdollars) AS cost, sum(requests) AS requests FROM cost_days"
        f" WHERE org_id = ? AND {condition} GROUP BY api_key_id",
        (org_id, *params),
    )
    return [
        _group(
            names[row["api_key_id"]] if row["api_key_id"] else NO_KEY,
            row["api_key_id"] or None,
            (row["cost"], row["requests"]),
        )
        for row in rows
    ]


def _label(group_by: str) -> str:
    return CUSTOMER_LABEL if group_by == BY_CUSTOMER else tag_label(group_by)


def _by_label(tx: Tx, org_id: str, window: Window, group_by: str) -> list[Record]:
    condition, params = window.condition()
    rows = tx.all(
        "SELECT value, sum(cost_microdollars) AS cost, sum(requests) AS requests FROM cost_label_totals"
        f" WHERE org_id = ? AND label = ? AND {condition} GROUP BY value",
        (org_id, _label(group_by), *params),
    )
    groups = [_group(row["value"], None, (row["cost"], row["requests"])) for row in rows]
    total_cost, total_requests = _total(tx, org_id, window)
    without = (total_cost - sum(row["cost"] for row in rows), total_requests - sum(row["requests"] for row in rows))
    return [*groups, _group(NO_VALUE, None, without)] if without[1] > 0 else groups


def _rows_of(tx: Tx, org_id: str, window: Window, group_by: str, key: str) -> list[tuple[int, str, int, int]]:
    """(day, model, cost, requests) of one group."""
    if group_by == BY_KEY:
        return _day_rows(tx, org_id, window, " AND api_key_id = ?", [_key_id(key)])
    label = _label(group_by)
    if key != NO_VALUE:
        return _label_rows(tx, org_id, window, label, " AND value = ?", [key])
    everything = _day_rows(tx, org_id, window, "", [])
    labelled = _label_rows(tx, org_id, window, label, "", [])
    rest: dict[tuple[int, str], list[int]] = {}
    for sign, rows in ((1, everything), (-1, labelled)):
        for day, model, cost, requests in rows:
            sums = rest.setdefault((day, model), [0, 0])
            sums[0] += sign * cost
            sums[1] += sign * requests
    return [(day, model, cost, requests) for (day, model), (cost, requests) in rest.items() if requests > 0]


def _key_id(key: str) -> str:
    if key == NO_KEY:
        return ""
    try:
        return parse_id(Kind.KEY, key)
    except InvalidId as error:
        raise InvalidKey(f"{error}, or {NO_KEY}") from None


def _day_rows(tx: Tx, org_id: str, window: Window, also: str, params: list[Any]) -> list[tuple[int, str, int, int]]:
    condition, window_params = window.condition()
    sql = (
        "SELECT day, model, sum(cost_microdollars), sum(requests) FROM cost_days"
        f" WHERE org_id = ? AND {condition}{also} GROUP BY day, model"
    )
    return [(row[0], row[1], row[2], row[3]) for row in tx.all(sql, (org_id, *window_params, *params))]


def _label_rows(
    tx: Tx, org_id: str, window: Window, label: str, also: str, params: list[Any]
) -> list[tuple[int, str, int, int]]:
    condition, window_params = window.condition()
    sql = (
        "SELECT day, model, sum(cost_microdollars), sum(requests) FROM cost_label_days"
        f" WHERE org_id = ? AND label = ? AND {condition}{also} GROUP BY day, model"
    )
    return [(row[0], row[1], row[2], row[3]) for row in tx.all(sql, (org_id, label, *window_params, *params))]


def _summed(rows: list[tuple[int, str, int, int]], column: int) -> dict[Any, Record]:
    """Cost and count by day (column 0) or model (column 1)."""
    sums: dict[Any, Record] = {}
    for row in rows:
        each = sums.setdefault(row[column], {"cost": 0, "count": 0})
        each["cost"] = shown(each["cost"] + row[2])
        each["count"] = shown(each["count"] + row[3])
    return sums


def _csv(groups: list[Record]) -> str:
    return csv_text(
        _COLUMNS,
        (
            (
                group["key"],
                group["keyId"],
                group["totalCostMicrodollars"],
                usd_text(group["totalCostMicrodollars"]),
                group["requestCount"],
                group["avgCostMicrodollars"],
                usd_text(group["avgCostMicrodollars"]),
            )
            for group in groups
        ),
    )
