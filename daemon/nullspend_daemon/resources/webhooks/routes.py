"""/api/webhooks"""

from typing import Any

from nullspend_daemon.contract.ids import Kind
from nullspend_daemon.http.caller import session
from nullspend_daemon.http.route import Envelope, Route
from nullspend_daemon.http.wire import path_id
from nullspend_daemon.resources.webhooks import ping, service
from nullspend_daemon.resources.webhooks.models import (
    CreatedWebhook,
    CreateWebhook,
    DeletedWebhook,
    DeliveryList,
    RotatedSecret,
    TestedWebhook,
    UpdateWebhook,
    WebhookList,
    WebhookRecord,
)

_ONE: dict[str, Any] = {"params": {"id": path_id(Kind.WEBHOOK)}, "errors": ("not_found",)}

ROUTES = [
    Route(
        method="GET",
        path="/api/webhooks",
        auth=session("viewer"),
        reply=WebhookList,
        reads=service.list_webhooks,
    ),
    Route(
        method="POST",
        path="/api/webhooks",
        auth=session("admin"),
        body=CreateWebhook,
        reply=CreatedWebhook,
        writes=service.create_webhook,
        status=201,
        envelope=Envelope.DATA,
        errors=("limit_exceeded",),
    ),
    Route(
        method="PATCH",
        path="/api/webhooks/{id}",
        auth=session("admin"),
        body=UpdateWebhook,
        reply=WebhookRecord,
        writes=service.update_webhook,
        envelope=Envelope.DATA,
        **_ONE,
    ),
    Route(
        method="DELETE",
        path="/api/webhooks/{id}",
        auth=session("admin"),
        reply=DeletedWebhook,
        writes=service.delete_webhook,
        **_ONE,
    ),
    Route(
        method="POST",
        path="/api/webhooks/{id}/test",
        auth=session("admin"),
        reply=TestedWebhook,
        runs=ping.ping_webhook,
        **_ONE,
    ),
    Route(
        method="POST",
        path="/api/webhooks/{id}/rotate-secret",
        auth=session("admin"),
        reply=RotatedSecret,
        writes=service.rotate_secret,
        envelope=Envelope.DATA,
        **_ONE,
    ),
    Route(
        method="GET",
        path="/api/webhooks/{id}/deliveries",
        auth=session("viewer"),
        reply=DeliveryList,
        writes=service.list_deliveries,
        durable=False,
        **_ONE,
    ),
]
