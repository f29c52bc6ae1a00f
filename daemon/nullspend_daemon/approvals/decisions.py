"""A person's yes or no: status, limit, audit row and events in one transaction."""

from dataclasses import dataclass
from typing import Literal

from nullspend_daemon.approvals.actions import BUDGET_INCREASE, event_object, find
from nullspend_daemon.approvals.expiry import expire, is_due
from nullspend_daemon.approvals.increases import Increase, apply_increase, audit_metadata
from nullspend_daemon.approvals.transitions import check_transition
from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.errors import ActionExpired, StaleAction
from nullspend_daemon.store import audit, outbox
from nullspend_daemon.store.transaction import Row, Tx

Verdict = Literal["approved", "rejected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided, and by whom: a user's id, or the name Slack gives whoever pressed the button.

    `seen` is the status the action had when the request came. `amount` is a part, or more, of what a budget_increase
    asks for, in microdollars.
    """

    org_id: str
    action_id: str
    verdict: Verdict
    by: str
    seen: str
    amount: int | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """The action after the decision, and the limit it raised."""

    row: Row
    increase: Increase | None


def decide(tx: Tx, decision: Decision, *, hosted: bool) -> Decided:
    """Approve or reject a pending action; an approved budget_increase raises its budget's limit.

    Raises NotFound, ActionExpired (that it expired is stored), StaleAction when somebody else decided between `seen`
    and now, InvalidActionTransition, and what `apply_increase` raises; nothing is stored then.
    """
    row = find(tx, decision.org_id, decision.action_id)
    _check_open(tx, row, decision)
    increase = None
    if row["action_type"] == BUDGET_INCREASE and decision.verdict == "approved":
        increase = apply_increase(tx, decision.org_id, row["payload"], decision.amount, hosted=hosted)
    verdict = decision.verdict
    tx.execute(
        f"UPDATE actions SET status = ?, {verdict}_at = ?, {verdict}_by = ? WHERE id = ?",
        (verdict, tx.now_ms, decision.by, row["id"]),
    )
    decided = find(tx, decision.org_id, decision.action_id)
    _audit(tx, decided, decision, increase)
    _stage(tx, decided, decision, increase)
    return Decided(decided, increase)


def _check_open(tx: Tx, row: Row, decision: Decision) -> None:
    if is_due(row, tx.now_ms):
        expire(tx, row)
        raise ActionExpired("The action has expired and cannot be decided.")
    if row["status"] == "expired":
        raise ActionExpired("The action has expired and cannot be decided.")
    if row["status"] != decision.seen:
        raise StaleAction(f"The action was changed to {row['status']} by another request at the same moment.")
    check_transition(row["status"], decision.verdict)


def _audit(tx: Tx, row: Row, decision: Decision, increase: Increase | None) -> None:
    if row["action_type"] == BUDGET_INCREASE:
        name, metadata = f"budget_increase.{decision.verdict}", audit_metadata(row["payload"], increase)
    else:
        name, metadata = f"action.{decision.verdict}", {"actionType": row["action_type"]}
    audit.record(
        tx,
        org_id=decision.org_id,
        actor_id=decision.by,
        action=name,
        resource=("action", decision.action_id),
        metadata=metadata,
    )


def _stage(tx: Tx, row: Row, decision: Decision, increase: Increase | None) -> None:
    verdict, by = decision.verdict, decision.by
    data = {**event_object(row), f"{verdict}_by": by, f"{verdict}_at": to_iso(row[f"{verdict}_at"])}
    outbox.stage(tx, decision.org_id, f"action.{verdict}", data | ({"reason": None} if verdict == "rejected" else {}))
    if increase is not None:
        outbox.stage(
            tx,
            decision.org_id,
            "budget.increased",
            {
                **increase.budget.entity_keys,
                "previous_limit_microdollars": increase.budget.limit,
                "new_limit_microdollars": increase.new_limit,
                "increased_by_microdollars": increase.amount,
                "approved_by": by,
                "action_id": decision.action_id,
            },
        )
