"""Webhooks on the wire."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from nullspend_daemon.contract.events import CATALOGUE, check_type
from nullspend_daemon.http.wire import Absent, Wire, trimmed

EventType = Annotated[str, AfterValidator(check_type), Field(json_schema_extra={"enum": list(CATALOGUE)})]
EventTypes = Annotated[list[EventType], Field(max_length=100)]
Description = Annotated[str, trimmed(0, 200)]
PayloadMode = Literal["full", "thin"]


class CreateWebhook(Wire):
    """Body of POST /api/webhooks; no event types means all."""

    url: str
    description: Absent[Description] = None
    event_types: EventTypes = Field(default_factory=list[str])
    payload_mode: PayloadMode = "full"


class UpdateWebhook(Wire):
    """Body of PATCH /api/webhooks/:id; what is left out stays, a null description clears it."""

    url: Absent[str] = None
    description: Description | None = None
    event_types: Absent[EventTypes] = None
    payload_mode: Absent[PayloadMode] = None
    enabled: Absent[bool] = None


class WebhookRecord(Wire):
    """An endpoint as every reply but the creating one shows it."""

    id: str
    url: str
    description: str | None
    event_types: list[str]
    enabled: bool
    api_version: str
    payload_mode: PayloadMode
    created_at: str
    updated_at: str


class CreatedWebhook(WebhookRecord):
    """The one reply besides a rotation's that shows the secret."""

    signing_secret: str


class WebhookList(Wire):
    """Reply of GET /api/webhooks."""

    data: list[WebhookRecord]


class DeletedWebhook(Wire):
    """Reply of DELETE /api/webhooks/:id."""

    success: Literal[True]


class TestedWebhook(Wire):
    """What a receiver said to a test; no status when it did not answer."""

    __test__ = False  # not a test case, though pytest would take the name for one

    success: bool
    status_code: int | None
    response_preview: str | None


class RotatedSecret(Wire):
    """The new secret; the old one signs for 24 hours more."""

    signing_secret: str
    secret_rotated_at: str


class DeliveryRecord(Wire):
    """One event on its way to one endpoint."""

    id: str
    event_type: str
    event_id: str
    status: Literal["pending", "delivered", "failed"]
    attempts: int
    last_attempt_at: str | None
    response_status: int | None
    created_at: str


class DeliveryList(Wire):
    """Reply of GET /api/webhooks/:id/deliveries."""

    data: list[DeliveryRecord]
