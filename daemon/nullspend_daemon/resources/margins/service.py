"""The margin table, and one customer of it."""

from typing import Any

from pydantic_core import from_json

from nullspend_daemon.contract.clock import to_iso_or_none
from nullspend_daemon.contract.money import MAX_MICRODOLLARS
from nullspend_daemon.errors import NotFound
from nullspend_daemon.http.route import Call, Document, Record
from nullspend_daemon.ledger.rollups import CUSTOMER_LABEL
from nullspend_daemon.payments.margin_table import CustomerMonths, customer_months, margin_table, spans
from nullspend_daemon.payments.margins import Figures, is_worse, projection, rounded, tier_at
from nullspend_daemon.payments.months import Month
from nullspend_daemon.resources.margins.csv import csv_document
from nullspend_daemon.resources.margins.models import MarginQuery, MarginTableQuery
from nullspend_daemon.store.transaction import Tx


def get_table(tx: Tx, call: Call[None, MarginTableQuery]) -> Record | Document:
    """Show each mapped customer's revenue, cost and margin in a month, the worst first."""
    month = call.query.period or Month.at(tx.now_ms)
    table = margin_table(tx, call.caller.org_id, month)
    customers = sorted((_row(each, month) for each in table), key=lambda row: (row["marginPercent"], row["tagValue"]))
    if call.query.format == "csv":
        return csv_document(customers, month)
    return {"summary": _summary(tx, call.caller.org_id, table), "customers": customers}


def get_customer(tx: Tx, call: Call[None, MarginQuery]) -> Record:
    """Show one customer's months and what each model cost for them."""
    month, tag_value = call.query.period or Month.at(tx.now_ms), call.params["customer"]
    found = customer_months(tx, call.caller.org_id, month, tag_value)
    if found is None:
        raise NotFound(f"No Stripe customer is mapped to {tag_value!r}. Map one with nullspend customers set.")
    return {
        "stripeCustomerId": found.stripe_customer_id,
        "customerName": found.name,
        "avatarUrl": None,
        "tagValue": found.tag_value,
        "healthTier": found.now.tier,
        "marginPercent": rounded(found.now.percent),
        "revenueMicrodollars": found.now.revenue,
        "costMicrodollars": found.now.cost,
        "revenueOverTime": [
            {"period": str(each), "revenue": figures.revenue, "cost": figures.cost}
            for each, figures in zip(spans(month), found.months, strict=True)
        ],
        "modelBreakdown": _models(tx, call.caller.org_id, month, tag_value),
    }


def _row(customer: CustomerMonths, month: Month) -> Record:
    now, expected = customer.now, projection(customer.months)
    points: list[Record] = [
        {"period": str(each), "marginPercent": rounded(figures.trend)}
        for each, figures in zip(spans(month), customer.months, strict=True)
    ]
    if expected is not None:
        points.append({"period": str(month.plus(1)), "marginPercent": rounded(expected), "projected": True})
    return {
        "stripeCustomerId": customer.stripe_customer_id,
        "customerName": customer.name,
        "avatarUrl": None,  # Stripe's customers have no picture; the field is part of the shape
        "tagValue": customer.tag_value,
        "revenueMicrodollars": now.revenue,
        "costMicrodollars": now.cost,
        "marginMicrodollars": now.margin,
        "marginPercent": rounded(now.percent),
        "healthTier": now.tier,
        "sparkline": points,
        "projectedTierWorsening": expected is not None and is_worse(tier_at(expected), now.tier),
        "budgetSuggestionMicrodollars": now.budget_suggestion,
    }


def _summary(tx: Tx, org_id: str, table: list[CustomerMonths]) -> Record:
    together = Figures(sum(each.now.revenue for each in table), sum(each.now.cost for each in table))
    tiers = [each.now.tier for each in table]
    return {
        "blendedMarginPercent": rounded(together.percent),
        "totalRevenueMicrodollars": min(together.revenue, MAX_MICRODOLLARS),
        "totalCostMicrodollars": min(together.cost, MAX_MICRODOLLARS),
        "criticalCount": tiers.count("critical"),
        "atRiskCount": tiers.count("at_risk"),
        **_sync_state(tx, org_id),
    }


def _sync_state(tx: Tx, org_id: str) -> Record:
    row = tx.one("SELECT * FROM stripe_connections WHERE org_id = ?", (org_id,))
    if row is None:
        return {"lastSyncAt": None, "syncStatus": "disconnected", "skippedCurrencies": None}
    skipped: Any = row["skipped_currencies"]
    return {
        "lastSyncAt": to_iso_or_none(row["last_sync_at"]),
        "syncStatus": row["status"],
        "skippedCurrencies": skipped and from_json(skipped),
    }


def _models(tx: Tx, org_id: str, month: Month, tag_value: str) -> list[Record]:
    rows = tx.all(
        "SELECT model, sum(cost_microdollars) AS cost, sum(requests) AS requests FROM cost_label_days"
        " WHERE org_id = ? AND label = ? AND value = ? AND day >= ? AND day < ? GROUP BY model"
        " ORDER BY cost DESC, model",
        (org_id, CUSTOMER_LABEL, tag_value, month.first_day, month.plus(1).first_day),
    )
    return [{"model": row["model"], "cost": row["cost"], "requestCount": row["requests"]} for row in rows]
