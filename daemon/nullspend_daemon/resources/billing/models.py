"""Billing on the wire."""

from typing import Annotated, Any, Literal

from nullspend_daemon.http.wire import Wire, sized

Id = Annotated[str, sized(1, 500)]


class Checkout(Wire):
    """Body of POST /api/stripe/checkout."""

    price_id: Id


class Sync(Wire):
    """Body of POST /api/stripe/subscription/sync: the checkout session that was paid."""

    session_id: Id


class PageUrl(Wire):
    """Where a person goes on in a browser."""

    url: str


class SubscriptionRecord(Wire):
    """A subscription."""

    id: str
    tier: Literal["free", "pro", "enterprise"]
    status: str
    current_period_start: str | None
    current_period_end: str | None
    cancel_at_period_end: bool
    created_at: str


class SubscriptionReply(Wire):
    """The subscription, or null when there is none."""

    data: SubscriptionRecord | None


class Received(Wire):
    """Reply of POST /api/stripe/webhook."""

    received: Literal[True]
    deduplicated: bool | None = None
    error: dict[str, Any] | None = None
