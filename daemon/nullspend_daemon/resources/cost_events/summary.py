"""GET /api/cost-events/summary: one read of the day roll-ups, grouped every way the summary shows."""

from collections.abc import Callable, Iterable
from typing import Any

from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.http.windows import Window, WindowQuery, average, date_of, shown
from nullspend_daemon.resources.cost_events.traces import dearest_traces
from nullspend_daemon.store.transaction import Row, Tx

_MANY = 100
_FEW = 25
_GROUPS = (
    "SELECT provider, model, api_key_id, source, is_tool, sum(requests) AS requests, sum(cost_microdollars) AS cost,"
    " sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,"
    " sum(cached_input_tokens) AS cached_input_tokens, sum(reasoning_tokens) AS reasoning_tokens,"
    " sum(timed_requests) AS timed_requests, sum(duration_ms) AS duration_ms, sum(input_cost) AS input_cost,"
    " sum(output_cost) AS output_cost, sum(cached_cost) AS cached_cost, sum(reasoning_cost) AS reasoning_cost"
    " FROM cost_days WHERE org_id = ? AND {window} GROUP BY provider, model, api_key_id, source, is_tool"
)
_TOKENS = {
    "inputTokens": "input_tokens",
    "outputTokens": "output_tokens",
    "cachedInputTokens": "cached_input_tokens",
    "reasoningTokens": "reasoning_tokens",
}
_BREAKDOWN = {
    "inputCost": "input_cost",
    "outputCost": "output_cost",
    "cachedCost": "cached_cost",
    "reasoningCost": "reasoning_cost",
}


def summarize(tx: Tx, call: Call[None, WindowQuery]) -> Record:
    """Add up what was spent in a period, by day, model, provider, key, tool, source and trace."""
    org_id, window = call.caller.org_id, call.query.window(tx.now_ms)
    condition, params = window.condition()
    rows = tx.all(_GROUPS.format(window=condition), (org_id, *params))
    return {
        "daily": _daily(tx, org_id, window),
        "models": _grouped(rows, lambda row: (row["provider"], row["model"]), _model, _MANY),
        "providers": _grouped(rows, lambda row: row["provider"], _named("provider"), _FEW),
        "totals": {
            "totalCostMicrodollars": shown(_sum(rows, "cost")),
            "totalRequests": shown(_sum(rows, "requests")),
            "period": call.query.period,
        },
        "keys": _keys(tx, org_id, rows),
        "tools": _grouped([row for row in rows if row["is_tool"]], lambda row: row["model"], _tool, _MANY),
        "sources": _grouped(rows, lambda row: row["source"], _named("source"), _FEW),
        "traces": dearest_traces(tx, org_id, window, _FEW),
        "costBreakdown": {shown_as: shown(_sum(rows, column)) for shown_as, column in _BREAKDOWN.items()},
    }


def _daily(tx: Tx, org_id: str, window: Window) -> list[Record]:
    condition, params = window.condition()
    rows = tx.all(
        f"SELECT day, sum(cost_microdollars) AS cost FROM cost_days WHERE org_id = ? AND {condition}"
        " GROUP BY day ORDER BY day",
        (org_id, *params),
    )
    return [{"date": date_of(row["day"]), "totalCostMicrodollars": shown(row["cost"])} for row in rows]


def _sum(rows: Iterable[Row], column: str) -> int:
    return sum(row[column] for row in rows)


def _money(rows: list[Row]) -> Record:
    return {"totalCostMicrodollars": shown(_sum(rows, "cost")), "requestCount": shown(_sum(rows, "requests"))}


def _grouped(
    rows: Iterable[Row], key_of: Callable[[Row], Any], show: Callable[[Any, list[Row]], Record], most: int
) -> list[Record]:
    """The `most` dearest groups, the dearest first, equal ones by name."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(key_of(row), []).append(row)
    dearest = sorted(groups.items(), key=lambda group: (-_sum(group[1], "cost"), group[0]))
    return [show(key, members) for key, members in dearest[:most]]


def _named(name: str) -> Callable[[Any, list[Row]], Record]:
    return lambda key, rows: {name: key, **_money(rows)}


def _model(key: tuple[str, str], rows: list[Row]) -> Record:
    tokens = {shown_as: shown(_sum(rows, column)) for shown_as, column in _TOKENS.items()}
    return {"provider": key[0], "model": key[1], **_money(rows), **tokens}


def _tool(key: str, rows: list[Row]) -> Record:
    mean = average(_sum(rows, "duration_ms"), _sum(rows, "timed_requests"))
    return {"model": key, **_money(rows), "avgDurationMs": mean}


def _keys(tx: Tx, org_id: str, rows: list[Row]) -> list[Record]:
    names = key_names(tx, org_id)
    with_key = [row for row in rows if row["api_key_id"]]

    def show(key: tuple[str, str], members: list[Row]) -> Record:
        return {"apiKeyId": key[1], "keyName": key[0], **_money(members)}

    return _grouped(with_key, lambda row: (names[row["api_key_id"]], row["api_key_id"]), show, _MANY)


def key_names(tx: Tx, org_id: str) -> dict[str, str]:
    """The name of every key of an org, revoked ones included."""
    return {row["id"]: row["name"] for row in tx.all("SELECT id, name FROM api_keys WHERE org_id = ?", (org_id,))}
