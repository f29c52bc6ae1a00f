"""POST /api/webhooks/:id/test: one test.ping right now, and what the receiver says to it."""

from nullspend_daemon.contract.envelope import Event
from nullspend_daemon.contract.ids import Kind, new_id
from nullspend_daemon.delivery.message import endpoint_of, message
from nullspend_daemon.delivery.outgoing import NotSent
from nullspend_daemon.http.auth import bears_token
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.resources.webhooks import service

PING = '{"message":"Test webhook event"}'
PREVIEW_CHARACTERS = 200


async def ping_webhook(call: Call[None, None]) -> Record:
    """Send test.ping to an endpoint now, also when it is disabled, and show its answer."""
    parts = call.parts
    endpoint = endpoint_of(await parts.store.read(lambda tx: service.find(tx, call)))
    now_ms = parts.clock.now_ms()
    event = Event(new_id(Kind.WEBHOOK_EVENT, now_ms), "test.ping", PING, now_ms)
    try:
        answer = await parts.outgoing.post(endpoint.url, *message(endpoint, event, now_ms))
        success, status, text = answer.is_success, answer.status, answer.text
    except NotSent as error:
        success, status, text = False, None, str(error)
    # What a program on this machine answers is shown to nobody but this machine's owner.
    hidden = parts.outgoing.leads_here(endpoint.url) and not bears_token(call.headers, parts.admin_token)
    return {
        "success": success,
        "statusCode": status,
        "responsePreview": None if hidden else text[:PREVIEW_CHARACTERS],
    }
