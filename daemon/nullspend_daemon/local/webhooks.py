"""POST /_local/trigger and /_local/deliveries/{id}/resend: events on request, through the one pipeline."""

from typing import Any

from pydantic import Field

from nullspend_daemon.contract.ids import Kind
from nullspend_daemon.delivery import queue
from nullspend_daemon.http.caller import ADMIN
from nullspend_daemon.http.route import Call, Record, Route
from nullspend_daemon.http.wire import Absent, Wire, path_id
from nullspend_daemon.local import samples
from nullspend_daemon.local.control import org_or_owners
from nullspend_daemon.local.models import OrgId
from nullspend_daemon.resources.webhooks.models import EventType
from nullspend_daemon.store import outbox
from nullspend_daemon.store.transaction import Tx


class Trigger(Wire):
    """Body of POST /_local/trigger; what `object` says replaces what the sample says."""

    type: EventType
    object: dict[str, Any] = Field(default_factory=dict[str, Any])
    org_id: Absent[OrgId] = None


class Triggered(Wire):
    """Reply of POST /_local/trigger."""

    event_id: str


class Resent(Wire):
    """Reply of POST /_local/deliveries/{id}/resend: the new delivery."""

    id: str


def trigger(tx: Tx, call: Call[Trigger, None]) -> Record:
    """Fire an event of the catalogue with realistic content, as if its cause had happened."""
    body = call.body
    org_id = org_or_owners(tx, body.org_id)
    content = _merged(samples.sample(tx, org_id, body.type), body.object)
    return {"eventId": outbox.stage(tx, org_id, body.type, content)}


def _merged(sample: Record, given: Record) -> Record:
    """The sample with the given values in it; an object inside keeps what is not given."""
    inner = {
        key: _merged(sample[key], value)
        for key, value in given.items()
        if isinstance(value, dict) and isinstance(sample.get(key), dict)
    }
    return {**sample, **given, **inner}


def resend(tx: Tx, call: Call[None, None]) -> Record:
    """Send the event of a delivery to its endpoint once more, newly signed; whoever listens may hear it again too."""
    return {"id": queue.resend(tx, call.params["id"])}


ROUTES = [
    Route(
        method="POST",
        path="/_local/trigger",
        auth=ADMIN,
        body=Trigger,
        reply=Triggered,
        writes=trigger,
        status=201,
        errors=("not_found",),
    ),
    Route(
        method="POST",
        path="/_local/deliveries/{id}/resend",
        auth=ADMIN,
        params={"id": path_id(Kind.DELIVERY)},
        reply=Resent,
        writes=resend,
        status=202,
        errors=("not_found",),
    ),
]
