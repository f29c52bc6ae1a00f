"""What an event of Stripe does to an organization's subscription. The simulator goes through here as well."""

from collections.abc import Mapping
from typing import Any

from nullspend_daemon.store import subscriptions
from nullspend_daemon.store.subscriptions import LIVE, Terms
from nullspend_daemon.store.transaction import Row, Tx

SECOND_MS = 1000


def bought(tx: Tx, org_id: str, terms: Terms) -> Row:
    """`checkout.session.completed`: the organization has this subscription now. Raises LookupError for no such org."""
    if tx.one("SELECT 1 FROM orgs WHERE id = ?", (org_id,)) is None:
        raise LookupError(f"there is no organization {org_id}")
    return subscriptions.put(tx, org_id, terms)


def updated(tx: Tx, org_id: str, terms: Terms) -> None:
    """`customer.subscription.updated`. An event of a subscription that another, live one has replaced is old news."""
    row = subscriptions.find(tx, org_id)
    replaced = row is not None and row["stripe_subscription_id"] not in (None, terms.subscription_id)
    if row is not None and replaced and row["status"] in LIVE:
        return
    bought(tx, org_id, terms)


def deleted(tx: Tx, subscription_id: str) -> None:
    """`customer.subscription.deleted`: it is over."""
    subscriptions.set_status(tx, subscription_id, "canceled")


def invoice_paid(tx: Tx, subscription_id: str) -> None:
    """`invoice.paid`: what was overdue is paid."""
    subscriptions.set_status(tx, subscription_id, "active", only_if="past_due")


def invoice_failed(tx: Tx, subscription_id: str) -> None:
    """`invoice.payment_failed`: the tier stays in force while Stripe tries again."""
    subscriptions.set_status(tx, subscription_id, "past_due", only_if="active")


def price_of(subscription: Mapping[str, Any]) -> str | None:
    """The price a subscription of Stripe is on; older accounts say plan."""
    for item in _items(subscription):
        for name in ("price", "plan"):
            priced = item.get(name)
            if priced:
                return priced if isinstance(priced, str) else priced.get("id")
    return None


def terms_of(subscription: Mapping[str, Any], tier: str) -> Terms:
    """A subscription as Stripe tells it, with the tier its price stands for."""
    return Terms(
        tier=tier,
        status=subscription["status"],
        customer_id=id_of(subscription.get("customer")),
        subscription_id=subscription["id"],
        period_start=_period(subscription, "current_period_start"),
        period_end=_period(subscription, "current_period_end"),
        cancel_at_period_end=bool(subscription.get("cancel_at_period_end")),
    )


def id_of(reference: Any) -> str | None:
    """The id of something that Stripe gives as an id or, expanded, as an object."""
    return reference.get("id") if isinstance(reference, Mapping) else reference


def _period(subscription: Mapping[str, Any], name: str) -> int | None:
    """A bound of the current period in epoch ms: on the subscription, or since 2025 on its items."""
    holders = [subscription, *_items(subscription)]
    seconds = next((holder[name] for holder in holders if holder.get(name) is not None), None)
    return None if seconds is None else int(seconds) * SECOND_MS


def _items(subscription: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return (subscription.get("items") or {}).get("data") or []
