"""/api/stripe: checkout, portal, subscription, webhook"""

from nullspend_daemon.http.caller import SIGNATURE, session
from nullspend_daemon.http.route import Envelope, Route
from nullspend_daemon.resources.billing import service, webhook
from nullspend_daemon.resources.billing.models import (
    Checkout,
    PageUrl,
    Received,
    SubscriptionRecord,
    SubscriptionReply,
    Sync,
)

ROUTES = [
    Route(
        method="POST",
        path="/api/stripe/checkout",
        auth=session("owner"),
        body=Checkout,
        reply=PageUrl,
        runs=service.checkout,
        errors=("invalid_input", "subscription_exists", "server_error", "service_unavailable"),
    ),
    Route(
        method="POST",
        path="/api/stripe/portal",
        auth=session("owner"),
        reply=PageUrl,
        runs=service.portal,
        errors=("no_subscription", "server_error", "service_unavailable"),
    ),
    Route(
        method="GET",
        path="/api/stripe/subscription",
        auth=session("viewer"),
        reply=SubscriptionReply,
        reads=service.get_subscription,
    ),
    Route(
        method="POST",
        path="/api/stripe/subscription/sync",
        auth=session("admin"),
        body=Sync,
        reply=SubscriptionRecord,
        runs=service.sync,
        envelope=Envelope.DATA,
        errors=("not_found", "server_error", "service_unavailable"),
    ),
    Route(
        method="POST",
        path="/api/stripe/webhook",
        auth=SIGNATURE,
        reply=Received,
        runs=webhook.receive,
        takes_raw_body=True,
        errors=(
            "missing_signature",
            "signature_invalid",
            "event_in_progress",
            "server_error",
            "webhook_processing_error",
        ),
    ),
]
