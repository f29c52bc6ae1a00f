"""Approving and rejecting. The status is read when the request comes and again when it is changed: of two people who
decide at the same moment the second is told so (`stale_action`), and not that the action was decided long ago."""

from typing import Any

from nullspend_daemon.approvals.actions import find
from nullspend_daemon.approvals.decisions import Decided, Decision, Verdict, decide
from nullspend_daemon.approvals.increases import Increase
from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.resources.actions.models import ApproveAction
from nullspend_daemon.store.transaction import Tx


async def approve_action(call: Call[ApproveAction | None, None]) -> Record:
    """Approve a pending action; a budget_increase raises its budget's limit at once."""
    amount = None if call.body is None else call.body.approved_amount_microdollars
    decided = await _decided(call, "approved", amount)
    return _reply(decided, "approved") | _increase(decided.increase)


async def reject_action(call: Call[None, None]) -> Record:
    """Reject a pending action."""
    return _reply(await _decided(call, "rejected"), "rejected")


async def _decided(call: Call[Any, None], verdict: Verdict, amount: int | None = None) -> Decided:
    org_id, action_id, store = call.caller.org_id, call.params["id"], call.parts.store
    seen: str = await store.read(lambda tx: find(tx, org_id, action_id)["status"])
    decision = Decision(
        org_id=org_id, action_id=action_id, verdict=verdict, by=call.caller.user_id, seen=seen, amount=amount
    )

    def write(tx: Tx) -> Decided:
        call.confirm(tx)
        return decide(tx, decision, hosted=call.settings.hosted)

    return await store.write(write)


def _reply(decided: Decided, verdict: Verdict) -> Record:
    row = decided.row
    return {"id": row["id"], "status": verdict, f"{verdict}At": to_iso(row[f"{verdict}_at"])}


def _increase(increase: Increase | None) -> Record:
    if increase is None:
        return {}
    return {
        "budgetIncrease": {
            "previousLimit": increase.budget.limit,
            "newLimit": increase.new_limit,
            "amount": increase.amount,
            "requestedAmount": increase.requested,
        }
    }
