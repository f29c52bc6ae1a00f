"""What must not travel further: secrets in texts we store, and more than the gist of a provider's error."""

import re
from typing import Any

from pydantic_core import from_json, to_json

from nullspend_daemon.proxy.targets import Provider

MOST_MESSAGE = 2_000
_REDACTIONS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\borg-[A-Za-z0-9]{10,}"), "org-***"),
    (re.compile(r"\bsk-ant-[A-Za-z0-9_-]+"), "sk-ant-***"),
    (re.compile(r"\bsk-(?!ant-\*)(?:proj-)?[A-Za-z0-9_-]{4,}"), "sk-***"),
    (re.compile(r"\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"), "***@***"),
)
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"ns_live_sk_[0-9a-zA-Z]+"), "ns_live_sk_***"),
    (re.compile(r"ns_inv_[0-9a-zA-Z]+"), "ns_inv_***"),
    (re.compile(r"whsec_[0-9a-zA-Z+/=_-]+"), "whsec_***"),
    (re.compile(r"\bgh[pousr]_[0-9a-zA-Z]+"), "gh_***"),
    (re.compile(r"\bAKIA[0-9A-Z]+"), "AKIA***"),
    (re.compile(r"\b(Bearer)\s+[^\s\"'\\,;]+", re.IGNORECASE), r"\1 ***"),
)
_HEX_RUN = (re.compile(r"[0-9a-fA-F]{32,}"), "***")


def redacted(text: str) -> str:
    """A provider's message without organization ids, keys, long hex runs and e-mail addresses."""
    for pattern, shown in (*_REDACTIONS, _HEX_RUN):
        text = pattern.sub(shown, text)
    return text


def without_secrets(text: str) -> str:
    """A body as it may be stored: everything `redacted` takes away, and every other kind of credential."""
    for pattern, shown in (*_SECRETS, *_REDACTIONS, _HEX_RUN):
        text = pattern.sub(shown, text)
    return text


def error_body(provider: Provider, status: int, body: bytes) -> bytes:
    """The body for a reply that is no success, in the shape the provider's own client turns into its exception."""
    error = _error(status, body)
    if provider == "anthropic":
        error.pop("code", None)
        return to_json({"type": "error", "error": error})
    return to_json({"error": error})


def _error(status: int, body: bytes) -> dict[str, str]:
    if status == 401:
        return {"type": "authentication_error", "message": "The provider refused the API key."}
    if status == 403:
        return {"type": "permission_error", "message": "The provider refused permission for this request."}
    if status >= 500:
        return {"type": "upstream_error", "message": f"The provider answered with status {status}."}
    return _told(body) or {"type": "upstream_error", "message": f"The provider refused the request ({status})."}


def _told(body: bytes) -> dict[str, str] | None:
    """Type, message and code as the provider gave them; None when it gave nothing that reads as an error."""
    try:
        given: Any = from_json(body)
    except ValueError:
        return None
    error = given.get("error") if isinstance(given, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        return None
    kind, code = error.get("type"), error.get("code")
    told = {
        "type": kind if isinstance(kind, str) and kind else "upstream_error",
        "message": redacted(error["message"])[:MOST_MESSAGE],
    }
    return {**told, "code": code} if isinstance(code, str) else told
