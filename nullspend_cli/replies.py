"""Replies read tolerantly: wrapped in `data` or not, ids with or without their prefix. What is shown has one form."""

from collections.abc import Iterable
from typing import Any

from nullspend_daemon.contract.ids import InvalidId, Kind, parse_id

Record = dict[str, Any]

_KINDS = {
    **dict.fromkeys(("userId", "actorId", "invitedBy", "newOwnerUserId"), Kind.USER),
    "orgId": Kind.ORG,
    "apiKeyId": Kind.KEY,
    "keyId": Kind.KEY,
    "actionId": Kind.ACTION,
}
_ENTITIES = {"user": Kind.USER, "api_key": Kind.KEY}
_RESOURCES = {
    "org": Kind.ORG,
    "organization": Kind.ORG,
    "membership": Kind.USER,
    "api_key": Kind.KEY,
    "budget": Kind.BUDGET,
    "webhook": Kind.WEBHOOK,
    "action": Kind.ACTION,
}


def record(reply: Record, kind: Kind | None = None) -> Record:
    """The one object of a reply. `kind` is what its `id` names."""
    inner = reply.get("data", reply)
    return with_prefixes(inner, kind) if isinstance(inner, dict) else {}


def rows(reply: Record, kind: Kind | None = None, *, under: str = "data") -> list[Record]:
    """The objects of a list reply, kept under `data` or another name."""
    items: Any = reply.get(under, [])
    return [with_prefixes(item, kind) for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def with_prefixes(item: Record, kind: Kind | None) -> Record:
    """A copy in which every id that came as a bare UUID carries its prefix."""
    shown = dict(item)
    for field, of in _known_ids(item, kind):
        if isinstance(shown.get(field), str):
            shown[field] = prefixed(of, shown[field])
    return shown


def _known_ids(item: Record, kind: Kind | None) -> Iterable[tuple[str, Kind]]:
    yield from _KINDS.items()
    if kind:
        yield "id", kind
    entity = _ENTITIES.get(str(item.get("entityType")))
    if entity:
        yield "entityId", entity
    resource = _RESOURCES.get(str(item.get("resourceType")))
    if resource:
        yield "resourceId", resource


def prefixed(kind: Kind, text: str) -> str:
    """`text` with its prefix when it is a bare UUID, else as it is."""
    try:
        return parse_id(kind, text, bare=True)
    except InvalidId:
        return text
