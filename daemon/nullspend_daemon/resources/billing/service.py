"""Checkout, portal and what the organization pays for; Stripe's part is real with STRIPE_SECRET_KEY, else simulated."""

from nullspend_daemon.errors import (
    Forbidden,
    InternalError,
    InvalidInput,
    NoSubscription,
    NothingBought,
    SubscriptionExists,
)
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.payments import changes, simulator
from nullspend_daemon.payments.config import StripeConfig, stripe_config
from nullspend_daemon.payments.stripe_api import StripeApi, StripeHasNone
from nullspend_daemon.resources.billing.models import Checkout, Sync
from nullspend_daemon.store import subscriptions
from nullspend_daemon.store.subscriptions import LIVE, Terms
from nullspend_daemon.store.transaction import Row, Tx


def get_subscription(tx: Tx, call: Call[None, None]) -> Record:
    """Show what the organization pays for; null when nothing."""
    row = subscriptions.find(tx, call.caller.org_id)
    return {"data": None if row is None else subscriptions.record(row)}


async def checkout(call: Call[Checkout, None]) -> Record:
    """Start buying a plan; the reply's URL is a page to pay on."""
    config = stripe_config(call.settings)
    tier = config.tier_of(call.body.price_id)
    if tier is None:
        raise InvalidInput(f"There is no price {call.body.price_id!r}. For sale: {_for_sale(config)}.")
    if config.simulated:
        return {"url": await call.parts.store.write(lambda tx: _simulated_checkout(tx, call, tier))}
    row, email = await call.parts.store.read(lambda tx: _buyer(tx, call))
    return {"url": await call.parts.in_thread(lambda: _real_checkout(call, config, tier, row, email))}


async def portal(call: Call[None, None]) -> Record:
    """Open the page where a subscription is cancelled, renewed or paid."""
    config = stripe_config(call.settings)
    if config.simulated:
        return {"url": await call.parts.store.write(lambda tx: _simulated_portal(tx, call))}
    row = await call.parts.store.read(lambda tx: subscriptions.find(tx, call.caller.org_id))
    customer_id = None if row is None else row["stripe_customer_id"]
    if customer_id is None or simulator.is_simulated(customer_id):
        raise NoSubscription("The organization has no subscription. Buy one with nullspend billing checkout.")
    return {"url": await call.parts.in_thread(lambda: _api(config).open_portal(customer_id, _return_url(call)))}


async def sync(call: Call[Sync, None]) -> Record:
    """Take over what a paid checkout session bought, without waiting for Stripe's event."""
    config = stripe_config(call.settings)
    if config.simulated:
        row = await call.parts.store.write(lambda tx: _simulated_sync(tx, call))
    else:
        terms = await call.parts.in_thread(lambda: _real_terms(call, config))
        row = await call.parts.store.write(lambda tx: _take_over(tx, call, terms))
    return subscriptions.record(row)


def _for_sale(config: StripeConfig) -> str:
    return ", ".join(f"{price} ({tier})" for price, tier in config.prices.items()) or (
        "nothing; set STRIPE_PRICE_PRO and STRIPE_PRICE_ENTERPRISE"
    )


def _check_nothing_is_live(row: Row | None) -> None:
    if row is not None and row["status"] in LIVE:
        raise SubscriptionExists(
            f"The organization is on the {row['tier']} plan already. Change it with nullspend billing portal."
        )


def _return_url(call: Call[None, None] | Call[Checkout, None]) -> str:
    return f"{call.parts.dash}/app/billing"


# -- the simulator's side


def _simulated_checkout(tx: Tx, call: Call[Checkout, None], tier: str) -> str:
    call.confirm(tx)
    _check_nothing_is_live(subscriptions.find(tx, call.caller.org_id))
    session_id, token = simulator.open_session(tx, call.caller.org_id, "checkout", tier)
    return f"{call.parts.url()}/_local/billing/checkout/{session_id}?token={token}"


def _simulated_portal(tx: Tx, call: Call[None, None]) -> str:
    call.confirm(tx)
    if subscriptions.find(tx, call.caller.org_id) is None:
        raise NoSubscription("The organization has no subscription. Buy one with nullspend billing checkout.")
    session_id, token = simulator.open_session(tx, call.caller.org_id, "portal")
    return f"{call.parts.url()}/_local/billing/portal/{session_id}?token={token}"


def _simulated_sync(tx: Tx, call: Call[Sync, None]) -> Row:
    call.confirm(tx)
    session = simulator.find_session(tx, "checkout", call.body.session_id)
    if session is None or session["org_id"] != call.caller.org_id:
        raise _not_of_this_org()
    if session["stripe_subscription_id"] is None:
        raise NothingBought("This checkout session has not been paid.")
    row = subscriptions.find(tx, call.caller.org_id)
    return row or simulator.grant(tx, call.caller.org_id, session["tier"], "active")


# -- Stripe's side


def _api(config: StripeConfig) -> StripeApi:
    if config.secret_key is None:
        raise LookupError("no Stripe key")
    return StripeApi(config.secret_key, config.api_url)


def _buyer(tx: Tx, call: Call[Checkout, None]) -> tuple[Row | None, str | None]:
    row = subscriptions.find(tx, call.caller.org_id)
    _check_nothing_is_live(row)
    return row, tx.value("SELECT email FROM users WHERE id = ?", (call.caller.user_id,))


def _real_checkout(
    call: Call[Checkout, None], config: StripeConfig, tier: str, row: Row | None, email: str | None
) -> str:
    api, org_id = _api(config), call.caller.org_id
    known = None if row is None or simulator.is_simulated(row["stripe_customer_id"]) else row["stripe_customer_id"]
    back = _return_url(call)
    return api.open_checkout(
        customer_id=known or api.create_customer(email, org_id),
        price_id=call.body.price_id,
        metadata={"orgId": org_id, "tier": tier},
        urls=(f"{back}?success=true&session_id={{CHECKOUT_SESSION_ID}}", back),
    )


def _real_terms(call: Call[Sync, None], config: StripeConfig) -> Terms:
    try:
        session = _api(config).checkout(call.body.session_id)
    except StripeHasNone:
        raise _not_of_this_org() from None
    metadata = session.get("metadata") or {}
    if metadata.get("orgId") != call.caller.org_id:
        raise _not_of_this_org()
    subscription = session.get("subscription")
    if not subscription or not session.get("customer"):
        raise NothingBought("This checkout session has not been paid.")
    tier = config.tier_of(changes.price_of(subscription)) or metadata.get("tier")
    if tier is None:
        raise InternalError("The subscription's price is none of STRIPE_PRICE_PRO and STRIPE_PRICE_ENTERPRISE.")
    return changes.terms_of(subscription, tier)


def _take_over(tx: Tx, call: Call[Sync, None], terms: Terms) -> Row:
    call.confirm(tx)
    return changes.bought(tx, call.caller.org_id, terms)


def _not_of_this_org() -> Forbidden:
    """Also for a session that does not exist: whose session an id is, is nobody else's business."""
    return Forbidden("This checkout session is not of your organization.")
