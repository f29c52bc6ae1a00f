"""What a call says about itself in `X-NullSpend-*` headers.

Wrong values are ignored, as the contract wants: a typo in a tag must not stop an agent. Only an over-long session id is
refused.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic_core import from_json

from nullspend_daemon.contract.ids import InvalidId, Kind, parse_id
from nullspend_daemon.errors import MalformedRequest

MOST_TAGS = 10
MOST_SESSION = 256
_TAG_KEY = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_CUSTOMER = re.compile(r"[a-zA-Z0-9._:-]{1,256}")
_MOST_TAG_VALUE = 256
_RESERVED = "_ns_"


@dataclass(frozen=True, slots=True)
class Context:
    """Whose call it is and what it belongs to."""

    tags: dict[str, str]
    customer: str | None
    session_id: str | None
    action_id: str | None
    finalize: bool
    warning: str | None

    def headers(self) -> dict[str, str]:
        """What every reply to the call repeats."""
        repeated: dict[str, str] = {}
        if self.session_id is not None:
            repeated["X-NullSpend-Session"] = self.session_id
        if self.tags:
            repeated["X-NullSpend-Effective-Tags"] = json.dumps(self.tags, separators=(",", ":"))
        if self.warning is not None:
            repeated["X-NullSpend-Warning"] = self.warning
        return repeated


def read_context(headers: Mapping[str, str], default_tags: Mapping[str, str]) -> Context:
    """The context of a call made with a key that has `default_tags`. Raises MalformedRequest for the session id."""
    session_id = clean(headers.get("X-NullSpend-Session", ""))
    if len(session_id) > MOST_SESSION:
        raise MalformedRequest(f"X-NullSpend-Session is longer than {MOST_SESSION} characters.")
    tags = merged_tags(headers.get("X-NullSpend-Tags"), default_tags)
    customer, warning = _customer(headers.get("X-NullSpend-Customer"))
    customer = customer or tags.get("customer") or None
    if customer is not None:
        tags["customer"] = customer
    return Context(
        tags=tags,
        customer=customer,
        session_id=session_id or None,
        action_id=_action_id(headers),
        finalize=headers.get("X-NullSpend-Finalize", "").strip() == "1",
        warning=warning,
    )


def clean(text: str) -> str:
    """A header's text without surrounding space; bytes that are no UTF-8 become U+FFFD, so that it can be stored."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()


def merged_tags(header: str | None, default_tags: Mapping[str, str]) -> dict[str, str]:
    """The first ten valid tags of a request, then of the key's default tags as many as still fit."""
    tags: dict[str, str] = {}
    for source in (_parsed(header), default_tags):
        for key, value in source.items():
            if len(tags) >= MOST_TAGS:
                return tags
            if key not in tags and _is_tag(key, value):
                tags[key] = value
    return tags


def _parsed(header: str | None) -> Mapping[str, str]:
    if not header:
        return {}
    try:
        given = from_json(header.encode("utf-8", "surrogateescape"))
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


def _is_tag(key: str, value: object) -> bool:
    return (
        _TAG_KEY.fullmatch(key) is not None
        and not key.startswith(_RESERVED)
        and isinstance(value, str)
        and len(value) <= _MOST_TAG_VALUE
        and "\0" not in value
    )


def _customer(header: str | None) -> tuple[str | None, str | None]:
    """The customer a header names, and the warning when it names none."""
    if header is None:
        return None, None
    named = header.strip()
    return (named, None) if _CUSTOMER.fullmatch(named) else (None, "invalid_customer")


def _action_id(headers: Mapping[str, str]) -> str | None:
    given = headers.get("X-NullSpend-Action-Id") or headers.get("X-NullSpend-ActionId")
    try:
        return parse_id(Kind.ACTION, given.strip()) if given else None
    except InvalidId:
        return None
