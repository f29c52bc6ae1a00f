"""What a denied call is told and what the world hears of it: the engine's denial codes and their webhook events."""

from dataclasses import dataclass, field
from typing import Any

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.contract.money import format_money
from nullspend_daemon.ledger.alerts import Alert
from nullspend_daemon.ledger.rules import Matched, Refusal, Standing
from nullspend_daemon.store import outbox, upgrade_urls
from nullspend_daemon.store.transaction import Tx

Details = dict[str, Any]
_FAMILY = {"tag": "tag_budget_exceeded", "customer": "customer_budget_exceeded"}


@dataclass(frozen=True, slots=True)
class Subject:
    """The call that is denied. The estimate in microdollars."""

    org_id: str
    api_key_id: str | None
    provider: str
    model: str
    customer: str | None
    session_id: str | None
    estimate: int

    @property
    def model_keys(self) -> dict[str, str]:
        """The two keys that name a call in every webhook event about a denial."""
        return {"model": self.model, "provider": self.provider}


@dataclass(frozen=True, slots=True)
class Denied:
    """A call that must not go on: the parts of its error envelope, `upgrade_url` and `recovery` beside the details."""

    code: str
    message: str
    details: Details
    recovery: Details
    retry_after_seconds: int | None = None
    standing: Standing | None = None
    upgrade_url: str | None = None


@dataclass(frozen=True, slots=True)
class _Told:
    """What one kind of refusal says."""

    code: str
    message: str
    details: Details
    reason: str
    alerts: list[Alert] = field(default_factory=list[Alert])


def denial(tx: Tx, subject: Subject, refusal: Refusal, standing: Standing | None) -> Denied:
    """The denial of `subject`; stages its webhook events."""
    told = {"session": _session, "velocity": _velocity, "budget": _budget}[refusal.test](subject, refusal, tx.now_ms)
    for event_type, data in told.alerts:
        outbox.stage(tx, subject.org_id, event_type, data)
    stage_blocked(tx, subject, told.reason, told.details)
    return Denied(
        code=told.code,
        message=told.message,
        details=told.details,
        recovery=recovery(told.code, refusal.retry_after_seconds),
        retry_after_seconds=refusal.retry_after_seconds,
        standing=standing,
        upgrade_url=_upgrade_url(tx, subject, told.code),
    )


def stage_blocked(tx: Tx, subject: Subject, reason: str, details: Details | None) -> None:
    """Stage `request.blocked`, which every denial sends. `reason` is budget, rate_limit or policy."""
    data = {"reason": reason, **subject.model_keys, "api_key_id": subject.api_key_id, "details": details}
    outbox.stage(tx, subject.org_id, "request.blocked", data)


def recovery(code: str, retry_after_seconds: int | None) -> Details:
    """`error.recovery`: whether waiting helps, or somebody has to act, or neither."""
    return {
        "retryable": retry_after_seconds is not None,
        "owner_action_required": code.endswith("budget_exceeded"),
        "retry_after_seconds": retry_after_seconds,
        "docs": None,
    }


def _session(subject: Subject, refusal: Refusal, now: int) -> _Told:
    by = refusal.by
    shown = {
        "session_id": subject.session_id,
        "session_spend_microdollars": by.session_spend,
        "session_limit_microdollars": by.budget.session_limit,
    }
    alert = {**by.budget.entity_keys, **shown, **subject.model_keys, "blocked_at": to_iso(now)}
    message = (
        f"This session has used {format_money(by.session_spend)} of {format_money(by.budget.session_limit or 0)}; "
        f"the call may cost {format_money(subject.estimate)}."
    )
    return _Told("session_limit_exceeded", message, shown, "budget", [("session.limit_exceeded", alert)])


def _velocity(subject: Subject, refusal: Refusal, now: int) -> _Told:
    budget = refusal.by.budget
    shown = {
        "limitMicrodollars": budget.velocity_limit,
        "windowSeconds": budget.velocity_window_seconds,
        "currentMicrodollars": refusal.velocity_spend,
    }
    alert = {
        **budget.entity_keys,
        "velocity_limit_microdollars": budget.velocity_limit,
        "velocity_window_seconds": budget.velocity_window_seconds,
        "velocity_current_microdollars": refusal.velocity_spend,
        "cooldown_seconds": budget.velocity_cooldown_seconds,
        **subject.model_keys,
        "blocked_at": to_iso(now),
    }
    message = (
        f"Spending too fast: at most {format_money(budget.velocity_limit or 0)} "
        f"in {budget.velocity_window_seconds} s. Calls are denied for {refusal.retry_after_seconds} s."
    )
    # Denials during the cooldown are no news; the trip was.
    alerts: list[Alert] = [("velocity.exceeded", alert)] if refusal.tripped else []
    return _Told("velocity_exceeded", message, shown, "rate_limit", alerts)


def _budget(subject: Subject, refusal: Refusal, now: int) -> _Told:
    by, budget = refusal.by, refusal.by.budget
    code = _FAMILY.get(budget.entity_type, "budget_exceeded")
    named = _named(budget.entity_type, budget.entity_id)
    amounts = {"budget_limit_microdollars": budget.limit, "budget_spend_microdollars": by.used}
    details = {**named, **amounts}
    if code == "budget_exceeded":
        details["estimated_cost_microdollars"] = subject.estimate
    details["remaining_microdollars"] = by.ordinary
    if budget.reserve > 0:
        details["finalization_reserve_microdollars"] = budget.reserve
        details["finalization_remaining_microdollars"] = by.remaining
    alert = {
        **budget.entity_keys,
        **(named if code in _FAMILY.values() else {}),
        **amounts,
        "estimated_request_cost_microdollars": subject.estimate,
        **subject.model_keys,
        "blocked_at": to_iso(now),
    }
    event_type = code.replace("_exceeded", ".exceeded")
    return _Told(code, _budget_message(subject, by), details, "budget", [(event_type, alert)])


def _named(entity_type: str, entity_id: str) -> dict[str, str]:
    if entity_type == "customer":
        return {"customer_id": entity_id}
    if entity_type == "tag":
        key, _, value = entity_id.partition("=")
        return {"tag_key": key, "tag_value": value}
    return {"entity_type": entity_type, "entity_id": entity_id}


def _budget_message(subject: Subject, by: Matched) -> str:
    budget = by.budget
    return (
        f"The budget of {budget.entity_type} {budget.entity_id} has {format_money(by.ordinary)} left of "
        f"{format_money(budget.limit)}; the call may cost {format_money(subject.estimate)}."
    )


def _upgrade_url(tx: Tx, subject: Subject, code: str) -> str | None:
    if code == "customer_budget_exceeded":
        return upgrade_urls.shown_url(tx, subject.org_id, subject.customer)
    if code == "budget_exceeded":
        return upgrade_urls.shown_org_url(tx, subject.org_id, subject.customer)
    return None
