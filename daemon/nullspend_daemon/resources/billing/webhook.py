"""POST /api/stripe/webhook: what Stripe tells of subscriptions. Signed, taken once, effective at once."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic_core import from_json

from nullspend_daemon.contract import signature
from nullspend_daemon.contract.clock import SystemClock
from nullspend_daemon.contract.ids import InvalidId, Kind, parse_id
from nullspend_daemon.errors import (
    EventInProgress,
    Misconfigured,
    MissingSignature,
    ServiceUnavailable,
    SignatureInvalid,
    WebhookProcessingError,
)
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.payments import changes
from nullspend_daemon.payments.config import StripeConfig, stripe_config
from nullspend_daemon.payments.stripe_api import Fields, StripeApi, StripeHasNone
from nullspend_daemon.store import subscriptions
from nullspend_daemon.store.subscriptions import Terms

log = logging.getLogger(__name__)

REMEMBER_MS = 300_000
AnyCall = Call[None, None]


class CannotProcess(Exception):
    """An event that will never make sense here, however often it is sent."""


_PERMANENT = (CannotProcess, StripeHasNone, LookupError, TypeError, ValueError, AttributeError)
"""An event that is not shaped as Stripe's are, or that names what does not exist."""


@dataclass(slots=True)
class SeenEvents:
    """Event ids of the last five minutes. In memory: a restart forgets, and every event may be taken twice."""

    _seen: dict[str, tuple[int, bool]] = field(default_factory=dict[str, tuple[int, bool]])

    def begin(self, event_id: str, now_ms: int) -> Literal["new", "running", "done"]:
        """Whether an event is new; then it counts as running until `finish` or `forget`."""
        self._seen = {name: each for name, each in self._seen.items() if now_ms - each[0] < REMEMBER_MS}
        known = self._seen.get(event_id)
        if known is not None:
            return "done" if known[1] else "running"
        self._seen[event_id] = (now_ms, False)
        return "new"

    def finish(self, event_id: str, now_ms: int) -> None:
        """It is processed."""
        self._seen[event_id] = (now_ms, True)

    def forget(self, event_id: str) -> None:
        """It failed and may come again."""
        self._seen.pop(event_id, None)


async def receive(call: AnyCall) -> Record:
    """Take an event of Stripe."""
    config = stripe_config(call.settings)
    event = _verified(call, config)
    event_id = str(event.get("id"))
    seen, now_ms = call.parts.keep(SeenEvents), call.parts.clock.now_ms()
    state = seen.begin(event_id, now_ms)
    if state == "done":
        return {"received": True, "deduplicated": True}
    if state == "running":
        raise EventInProgress("This event is being processed.")
    try:
        await _process(call, config, event)
    except _PERMANENT as error:
        seen.finish(event_id, now_ms)
        log.error("Stripe's event %s (%s) cannot be processed: %r", event_id, event.get("type"), error)
        problem = {"code": "processing_failed", "message": str(error), "details": None}
        return {"received": True, "error": problem}
    except (ServiceUnavailable, Misconfigured) as error:
        seen.forget(event_id)
        log.warning("Stripe's event %s waits: %s", event_id, error.message)
        raise WebhookProcessingError("The event could not be processed now; send it again.") from error
    except BaseException:
        seen.forget(event_id)
        raise
    seen.finish(event_id, now_ms)
    return {"received": True}


def _verified(call: AnyCall, config: StripeConfig) -> Fields:
    """The event. Raises MissingSignature, Misconfigured or SignatureInvalid."""
    header = call.headers.get("stripe-signature")
    if not header:
        raise MissingSignature("The stripe-signature header is missing.")
    if config.webhook_secret is None:
        raise Misconfigured("STRIPE_WEBHOOK_SECRET is not set; set it and restart the daemon.")
    try:
        timestamp, signatures = signature.parse(header)
        # Stripe signs with the real time, whatever the test clock says.
        fresh = abs(SystemClock().now_ms() // 1000 - timestamp) <= signature.TOLERANCE_SECONDS
        if fresh and signature.matches(config.webhook_secret, timestamp, call.raw_body, signatures):
            event = from_json(call.raw_body)
            if isinstance(event, dict):
                return event
    except ValueError:
        pass
    raise SignatureInvalid("The stripe-signature does not match the body.")


async def _process(call: AnyCall, config: StripeConfig, event: Fields) -> None:
    thing: Fields = event["data"]["object"]
    kind = event["type"]
    write = call.parts.store.write
    if kind == "checkout.session.completed":
        await _bought(call, config, thing)
    elif kind == "customer.subscription.updated":
        await _updated(call, config, thing)
    elif kind == "customer.subscription.deleted":
        await write(lambda tx: changes.deleted(tx, thing["id"]))
    elif kind in ("invoice.paid", "invoice.payment_failed"):
        subscription_id = _subscription_of(thing)
        change = changes.invoice_paid if kind == "invoice.paid" else changes.invoice_failed
        if subscription_id is not None:
            await write(lambda tx: change(tx, subscription_id))


async def _bought(call: AnyCall, config: StripeConfig, session: Fields) -> None:
    org_id = _org_of(session)
    subscription_id = changes.id_of(session.get("subscription"))
    if org_id is None or subscription_id is None:
        return  # another product of the same account
    subscription = await _current(call, config, subscription_id)
    tier = config.tier_of(changes.price_of(subscription)) or session["metadata"].get("tier")
    if tier is None:
        raise CannotProcess("the subscription's price is not for sale here and the session names no tier")
    customer_id = changes.id_of(session.get("customer"))
    terms = Terms(tier=tier, status="active", customer_id=customer_id, subscription_id=subscription_id)
    if subscription:
        terms = replace(changes.terms_of(subscription, tier), status="active")
    await call.parts.store.write(lambda tx: changes.bought(tx, org_id, terms))


async def _updated(call: AnyCall, config: StripeConfig, subscription: Fields) -> None:
    tier = config.tier_of(changes.price_of(subscription))
    if tier is None:
        return  # a price that is not for sale here says nothing about the plan
    org_id = _org_of(subscription) or await _known_org(call, config, subscription)
    if org_id is None:
        return
    terms = changes.terms_of(subscription, tier)
    await call.parts.store.write(lambda tx: changes.updated(tx, org_id, terms))


async def _known_org(call: AnyCall, config: StripeConfig, subscription: Fields) -> str | None:
    """The org of a subscription that does not name it: that of its row, else what its customer says."""
    row = await call.parts.store.read(lambda tx: subscriptions.find_stripe(tx, subscription["id"]))
    if row is not None:
        return row["org_id"]
    customer_id, key = changes.id_of(subscription.get("customer")), config.secret_key
    if customer_id is None or key is None:
        return None
    return _org_of(await call.parts.in_thread(lambda: StripeApi(key, config.api_url).customer(customer_id)))


async def _current(call: AnyCall, config: StripeConfig, subscription_id: str) -> Fields:
    """The subscription as Stripe has it now; empty without a key to ask with."""
    key = config.secret_key
    if key is None:
        return {}
    return await call.parts.in_thread(lambda: StripeApi(key, config.api_url).subscription(subscription_id))


def _org_of(thing: Mapping[str, Any]) -> str | None:
    named = (thing.get("metadata") or {}).get("orgId")
    try:
        return None if named is None else parse_id(Kind.ORG, named, bare=True)
    except InvalidId:
        return None


def _subscription_of(invoice: Mapping[str, Any]) -> str | None:
    """The subscription an invoice is for: a field of its own, or since 2025 a part of its parent."""
    parent = (invoice.get("parent") or {}).get("subscription_details") or {}
    return changes.id_of(invoice.get("subscription")) or changes.id_of(parent.get("subscription"))
