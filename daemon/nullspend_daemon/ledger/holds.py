"""Holding what a call may cost before it is made, and ending that hold exactly once.

What is reserved of a budget is the sum of its live holds, never a counter of its own. A call's hold lives as long as
the call; a reservation of an MCP proxy stops counting when it expires, but can still be settled.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from pydantic_core import to_json

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.contract.ids import new_uuid
from nullspend_daemon.contract.money import MAX_MICRODOLLARS
from nullspend_daemon.ledger import rules
from nullspend_daemon.ledger.alerts import Cause
from nullspend_daemon.ledger.budgets import Budget, matching_entities
from nullspend_daemon.ledger.charges import Charges
from nullspend_daemon.ledger.denials import Denied, Subject, denial
from nullspend_daemon.ledger.events import NewEvent, Stored, store_unique
from nullspend_daemon.ledger.matching import matched_budgets
from nullspend_daemon.ledger.rollups import Rollups
from nullspend_daemon.ledger.rules import Ask, Matched, Standing
from nullspend_daemon.ledger.velocity_states import store_states
from nullspend_daemon.store import outbox
from nullspend_daemon.store.transaction import Tx

RESERVATION_MS = 30_000
"""How long a reservation of an MCP proxy counts."""
NEVER = MAX_MICRODOLLARS
"""The expiry of a call's hold."""
_DAY_MS = 24 * 3_600_000
_INSERT = (
    "INSERT INTO holds (id, org_id, amount_microdollars, session_id, expires_at, draft, created_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_ENTITY = (
    "INSERT INTO hold_entities (hold_id, budget_id, amount_microdollars, session_id, expires_at) VALUES (?, ?, ?, ?, ?)"
)
_ADD_TO_SESSION = (
    "INSERT INTO budget_sessions (budget_id, session_id, spend_microdollars, last_charged_at) VALUES (?1, ?2, ?3, ?4)"
    " ON CONFLICT (budget_id, session_id) DO UPDATE SET last_charged_at = ?4,"
    f" spend_microdollars = min(spend_microdollars + ?3, {MAX_MICRODOLLARS})"
)
Status = Literal["skipped", "approved", "denied"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRequest:
    """A call about to be made. The estimate in microdollars."""

    org_id: str
    user_id: str
    api_key_id: str
    provider: str
    model: str
    tags: dict[str, str]
    customer: str | None = None
    session_id: str | None = None
    estimate: int
    finalize: bool = False
    expires_at: int | None = None
    """Epoch ms, of a reservation; None for a call."""
    draft: NewEvent | None = None
    """The event to store if the daemon dies before the call ends. A call has one, a reservation none."""


@dataclass(frozen=True, slots=True)
class Approved:
    """The call may go on; `settle` or `release` must follow.

    `status` is the `budgetStatus` of its event: denied means that a soft budget let it pass over its limit, skipped
    that no budget matched. Of a skipped reservation nothing is kept.
    """

    hold_id: str
    status: Status
    standing: Standing | None


class Ended(NamedTuple):
    """A hold that is just over: the budgets it counted against, those deleted since excepted, and its session."""

    budgets: list[str]
    session_id: str | None


def hold(tx: Tx, request: HoldRequest) -> Approved | Denied:
    """Check a call against every matching budget, and hold its estimate of all of them or of none.

    A denial is returned, not raised: period resets, velocity states and webhook events of a denied call stay.
    """
    estimate = min(request.estimate, MAX_MICRODOLLARS)
    entities = matching_entities(request.user_id, request.api_key_id, request.tags, request.customer)
    matched = matched_budgets(tx, request.org_id, entities, request.session_id)
    decision = rules.decide(matched, Ask(estimate, request.session_id, request.finalize), tx.now_ms)
    store_states(tx, decision.velocities)
    for budget in decision.recovered:
        outbox.stage(tx, budget.org_id, "velocity.recovered", _recovered(budget, tx.now_ms))
    if decision.refusal is not None:
        return denial(tx, _subject(request, estimate), decision.refusal, decision.standing)
    status: Status = "denied" if decision.over_limit else "approved" if matched else "skipped"
    return Approved(_store(tx, request, matched, estimate, status), status, decision.standing)


def settle(tx: Tx, hold_id: str, event: NewEvent, *, awaits: str | None = None) -> Stored | None:
    """End a call's hold: store `event` and charge its cost to every budget and session that was held. Once.

    None when the hold is over already: nothing happens then. `awaits` is the provider's id of a background reply,
    whose final usage will correct the event.
    """
    charges, rollups = Charges(tx, event.org_id), Rollups(tx)
    ended = end(tx, charges, event.org_id, hold_id)
    if ended is None:
        return None
    stored = store_unique(tx, rollups, event, charges.periods(ended.budgets), awaits)
    cause = Cause(stored.request_id, event.cost_microdollars, event.provider, event.model, tx.now_ms)
    charges.charge(ended.budgets, cause)
    charge_session(tx, ended, event.cost_microdollars)
    charges.store()
    rollups.store()
    return stored


def release(tx: Tx, hold_id: str) -> None:
    """End the hold of a call that costs nothing and leaves no event."""
    tx.execute("DELETE FROM holds WHERE id = ?", (hold_id,))


def end(tx: Tx, charges: Charges, org_id: str, hold_id: str) -> Ended | None:
    """Take a hold of an organization away and say what it counted against; None when there is none."""
    row = tx.one("SELECT session_id FROM holds WHERE id = ? AND org_id = ?", (hold_id, org_id))
    if row is None:
        return None
    ended = Ended(charges.of_hold(hold_id), row["session_id"])
    release(tx, hold_id)
    return ended


def charge_session(tx: Tx, ended: Ended, cost: int) -> None:
    """Add what a call cost to its session's spend of each budget."""
    if ended.session_id is not None and cost > 0:
        rows = [(budget_id, ended.session_id, cost, tx.now_ms) for budget_id in ended.budgets]
        tx.executemany(_ADD_TO_SESSION, rows)


def drop_lapsed(tx: Tx) -> int:
    """Forget reservations that expired a day ago, and what sessions idle for a day have spent; returns how many."""
    before = tx.now_ms - _DAY_MS
    return tx.changed("DELETE FROM holds WHERE draft IS NULL AND expires_at <= ?", (before,)) + tx.changed(
        "DELETE FROM budget_sessions WHERE last_charged_at <= ?", (before,)
    )


def _store(tx: Tx, request: HoldRequest, matched: list[Matched], estimate: int, status: Status) -> str:
    hold_id, session_id, draft = new_uuid(tx.now_ms), request.session_id, None
    if request.draft is not None:
        request.draft.budget_status, request.draft.estimated_cost_microdollars = status, estimate
        draft = to_json(request.draft).decode()
    elif not matched:
        return hold_id
    expires_at = NEVER if request.expires_at is None else request.expires_at
    tx.execute(_INSERT, (hold_id, request.org_id, estimate, session_id, expires_at, draft, tx.now_ms))
    rows = [(hold_id, one.budget.id, estimate, session_id, expires_at) for one in matched]
    tx.executemany(_INSERT_ENTITY, rows)
    return hold_id


def _subject(request: HoldRequest, estimate: int) -> Subject:
    return Subject(
        request.org_id,
        request.api_key_id,
        request.provider,
        request.model,
        request.customer,
        request.session_id,
        estimate,
    )


def _recovered(budget: Budget, now_ms: int) -> dict[str, object]:
    return {
        **budget.entity_keys,
        "velocity_limit_microdollars": budget.velocity_limit,
        "velocity_window_seconds": budget.velocity_window_seconds,
        "velocity_cooldown_seconds": budget.velocity_cooldown_seconds,
        "recovered_at": to_iso(now_ms),
    }
