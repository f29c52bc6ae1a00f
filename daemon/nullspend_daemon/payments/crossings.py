"""Margins that got worse since last month: told once each customer, month and tier."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nullspend_daemon.payments.margin_table import CustomerMonths, margin_table
from nullspend_daemon.payments.margins import is_worse, rounded
from nullspend_daemon.payments.months import Month
from nullspend_daemon.store import outbox
from nullspend_daemon.store.transaction import Tx

EVENT = "margin.threshold_crossed"


@dataclass(frozen=True, slots=True)
class Crossing:
    """One customer, last month and this one."""

    before: CustomerMonths
    after: CustomerMonths
    period: str

    def data(self) -> dict[str, Any]:
        """`data.object` of the webhook event; margins are fractions of 1."""
        before, after = self.before.now, self.after.now
        return {
            "customer": {
                "stripeId": self.after.stripe_customer_id,
                "name": self.after.name,
                "tagValue": self.after.tag_value,
            },
            "margin": {
                "previous": _fraction(rounded(before.percent)),
                "current": _fraction(rounded(after.percent)),
                "previousTier": before.tier,
                "currentTier": after.tier,
            },
            "revenue_microdollars": after.revenue,
            "cost_microdollars": after.cost,
            "period": self.period,
        }


def stage_crossings(tx: Tx, org_id: str) -> list[Crossing]:
    """Stage an event for each customer whose tier is worse than last month and who was not told of it yet."""
    month = Month.at(tx.now_ms)
    new = [each for each in _crossings(tx, org_id, month) if _note(tx, org_id, each)]
    for crossing in new:
        outbox.stage(tx, org_id, EVENT, crossing.data())
    return new


def _crossings(tx: Tx, org_id: str, month: Month) -> Iterator[Crossing]:
    """Only customers with a row in both months can cross."""
    before = {each.tag_value: each for each in margin_table(tx, org_id, month.plus(-1))}
    for after in margin_table(tx, org_id, month):
        earlier = before.get(after.tag_value)
        if earlier is not None and is_worse(after.now.tier, earlier.now.tier):
            yield Crossing(earlier, after, str(month))


def _note(tx: Tx, org_id: str, crossing: Crossing) -> bool:
    """Whether this crossing is new."""
    noted = tx.changed(
        "INSERT INTO margin_alerts (org_id, tag_value, period, tier, created_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (org_id, crossing.after.tag_value, crossing.period, crossing.after.now.tier, tx.now_ms),
    )
    return noted == 1


def _fraction(percent: float) -> float:
    return round(percent / 100, 4)
