"""Calls that may not be made, as replies: what the engine denies, what a key's mandates forbid, and loops."""

from typing import Any

from nullspend_daemon.errors import CallDenied, MandateViolated
from nullspend_daemon.ledger.denials import Denied
from nullspend_daemon.ledger.rules import Standing
from nullspend_daemon.store.identity import KeyIdentity

_MOST_SHOWN = 200
NO_RETRY = {"x-should-retry": "false"}
"""Tells the openai and anthropic clients that trying again is no use; they would, twice."""
DENIED = {"X-NullSpend-Denied": "1", **NO_RETRY}


def check_mandates(key: KeyIdentity, provider: str, model: str) -> None:
    """Raises MandateViolated for a provider, then for a model, that the key may not use."""
    _check("allowed_providers", key.allowed_providers, provider)
    _check("allowed_models", key.allowed_models, model)


def _check(mandate: str, allowed: list[str] | None, requested: str) -> None:
    if allowed is None or requested in allowed:
        return
    what = "providers" if mandate == "allowed_providers" else "models"
    shown = requested[:_MOST_SHOWN]
    details = {"mandate": mandate, "requested": shown, "allowed": allowed}
    raise MandateViolated(f"This key may not use {shown}; its {what} are limited.", details=details, headers=NO_RETRY)


def refusal(denied: Denied) -> CallDenied:
    """The error of what the engine denied."""
    beside: dict[str, Any] = {"recovery": denied.recovery}
    if denied.upgrade_url is not None:
        beside["upgrade_url"] = denied.upgrade_url
    headers = {**DENIED, **budget_headers(denied.standing)}
    if denied.retry_after_seconds is not None:
        headers["Retry-After"] = str(denied.retry_after_seconds)
    return CallDenied(denied.code, denied.message, details=denied.details, beside=beside, headers=headers)


def budget_headers(standing: Standing | None) -> dict[str, str]:
    """The X-NullSpend-Budget-* headers; none when no budget matched."""
    if standing is None:
        return {}
    return {
        "X-NullSpend-Budget-Limit": str(standing.limit),
        "X-NullSpend-Budget-Spent": str(standing.spent),
        "X-NullSpend-Budget-Remaining": str(standing.remaining),
        "X-NullSpend-Budget-Entity": header_text(f"{standing.entity_type}:{standing.entity_id}"),
    }


def header_text(text: str) -> str:
    """A text that may come from a user, as a header can carry it: control characters become `?`."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "?" for character in text)
