"""What a webhook receiver gets: the envelope around an event's `data.object`, full or thin.

Bodies are put together from the JSON text of the object, so that what is signed, sent, listed and streamed is the same
text byte for byte.
"""

import json
from typing import Any, NamedTuple
from urllib.parse import quote

THIN_TYPE = "cost_event.created"
"""The one type that has a thin form."""


class Event(NamedTuple):
    """An event as it was staged. `object` is the JSON text of `data.object`, `created_at` epoch milliseconds."""

    id: str
    type: str
    object: str
    created_at: int


def full(event: Event, api_version: str) -> str:
    """`{id, type, api_version, created_at, data: {object}}` as compact JSON."""
    return f'{_head(event, api_version)},"data":{{"object":{event.object}}}}}'


def thin(event: Event, api_version: str) -> str:
    """The same with `related_object` instead of `data`: where the cost event can be fetched with an API key."""
    return f'{_head(event, api_version)},"related_object":{_compact(_related(json.loads(event.object)))}}}'


def _head(event: Event, api_version: str) -> str:
    head = {"id": event.id, "type": event.type, "api_version": api_version, "created_at": event.created_at // 1000}
    return _compact(head)[:-1]


def _related(cost_event: dict[str, Any]) -> dict[str, str]:
    request_id, provider = cost_event["request_id"], cost_event["provider"]
    url = f"/api/cost-events?requestId={quote(request_id, safe='')}&provider={quote(provider, safe='')}"
    return {"id": request_id, "type": "cost_event", "url": url}


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
