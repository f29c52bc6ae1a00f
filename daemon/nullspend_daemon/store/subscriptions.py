"""The subscription of an organization: one row, written by a checkout, by Stripe's events or by hand."""

from dataclasses import dataclass
from typing import Any

from nullspend_daemon.contract.clock import to_iso, to_iso_or_none
from nullspend_daemon.contract.ids import new_uuid
from nullspend_daemon.store.transaction import Row, Tx

LIVE = frozenset({"active", "past_due"})
"""States in which the tier is in force; `plans.plan_of` reads any other as free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a subscription says. Times in epoch ms; ids are Stripe's, None for one that was set by hand."""

    tier: str
    status: str
    customer_id: str | None = None
    subscription_id: str | None = None
    period_start: int | None = None
    period_end: int | None = None
    cancel_at_period_end: bool = False


def find(tx: Tx, org_id: str) -> Row | None:
    """The row of an organization, or None."""
    return tx.one("SELECT * FROM subscriptions WHERE org_id = ?", (org_id,))


def find_stripe(tx: Tx, subscription_id: str) -> Row | None:
    """The row that stands for a subscription of Stripe, or None."""
    return tx.one("SELECT * FROM subscriptions WHERE stripe_subscription_id = ?", (subscription_id,))


def put(tx: Tx, org_id: str, terms: Terms) -> Row:
    """Make `terms` the organization's subscription; an existing row keeps its id and its date."""
    tx.execute(
        "INSERT INTO subscriptions (org_id, id, tier, status, stripe_customer_id, stripe_subscription_id,"
        " current_period_start, current_period_end, cancel_at_period_end, created_at, updated_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)"
        " ON CONFLICT (org_id) DO UPDATE SET tier = ?3, status = ?4, stripe_customer_id = ?5,"
        " stripe_subscription_id = ?6, current_period_start = ?7, current_period_end = ?8,"
        " cancel_at_period_end = ?9, updated_at = ?10",
        (
            org_id,
            new_uuid(tx.now_ms),
            terms.tier,
            terms.status,
            terms.customer_id,
            terms.subscription_id,
            terms.period_start,
            terms.period_end,
            int(terms.cancel_at_period_end),
            tx.now_ms,
        ),
    )
    row = find(tx, org_id)
    if row is None:
        raise LookupError(org_id)
    return row


def set_status(tx: Tx, subscription_id: str, status: str, *, only_if: str | None = None) -> None:
    """Set the state of a subscription of Stripe; with `only_if` only when it is in that one. A canceled one ends."""
    tx.execute(
        "UPDATE subscriptions SET status = ?2, updated_at = ?3,"
        " cancel_at_period_end = CASE WHEN ?2 = 'canceled' THEN 0 ELSE cancel_at_period_end END"
        " WHERE stripe_subscription_id = ?1 AND (?4 IS NULL OR status = ?4)",
        (subscription_id, status, tx.now_ms, only_if),
    )


def record(row: Row) -> dict[str, Any]:
    """A subscription as every reply shows it."""
    return {
        "id": row["id"],
        "tier": row["tier"],
        "status": row["status"],
        "currentPeriodStart": to_iso_or_none(row["current_period_start"]),
        "currentPeriodEnd": to_iso_or_none(row["current_period_end"]),
        "cancelAtPeriodEnd": bool(row["cancel_at_period_end"]),
        "createdAt": to_iso(row["created_at"]),
    }
