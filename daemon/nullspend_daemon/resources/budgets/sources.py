"""GET /api/budgets/:id/sources: where a budget's spend comes from, read from the roll-ups."""

from typing import Any

from nullspend_daemon.errors import NotFound
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.http.windows import PeriodQuery, shown
from nullspend_daemon.ledger.rollups import CUSTOMER_LABEL, tag_label
from nullspend_daemon.store.transaction import Row, Tx

_MOST = 25
_BY_KEY = "cost_days WHERE org_id = ? AND day >= ? AND api_key_id = ?"
_BY_USER = (
    "cost_days WHERE org_id = ? AND day >= ?"
    " AND api_key_id IN (SELECT id FROM api_keys WHERE org_id = cost_days.org_id AND user_id = ?)"
)
_BY_LABEL = "cost_label_days WHERE org_id = ? AND day >= ? AND label = ? AND value = ?"


def list_sources(tx: Tx, call: Call[None, PeriodQuery]) -> Record:
    """Show through which sources a budget's entity has spent, the dearest first."""
    org_id = call.caller.org_id
    budget = tx.one("SELECT * FROM budgets WHERE id = ? AND org_id = ?", (call.params["id"], org_id))
    if budget is None:
        raise NotFound("Budget not found.")
    table, params = _charged_by(budget)
    rows = tx.all(
        f"SELECT source, sum(cost_microdollars) AS cost, sum(requests) AS requests FROM {table}"
        " GROUP BY source ORDER BY cost DESC, source LIMIT ?",
        (org_id, call.query.first_day(tx.now_ms), *params, _MOST),
    )
    return {
        "data": [
            {
                "source": row["source"],
                "totalCostMicrodollars": shown(row["cost"]),
                "requestCount": shown(row["requests"]),
            }
            for row in rows
        ]
    }


def _charged_by(budget: Row) -> tuple[str, list[Any]]:
    """The roll-up rows that a budget's entity has charged."""
    entity_type, entity_id = budget["entity_type"], budget["entity_id"]
    if entity_type == "api_key":
        return _BY_KEY, [entity_id]
    if entity_type == "user":
        return _BY_USER, [entity_id]
    if entity_type == "customer":
        return _BY_LABEL, [CUSTOMER_LABEL, entity_id]
    key, _, value = entity_id.partition("=")
    return _BY_LABEL, [tag_label(key), value]
