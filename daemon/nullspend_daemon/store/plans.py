"""Which plan an org is on, read in the transaction that creates something: two creations cannot both fit."""

from nullspend_daemon.contract.money import format_money
from nullspend_daemon.contract.plans import FREE, PLANS, UNLIMITED, Plan
from nullspend_daemon.errors import LimitExceeded, SpendCapExceeded
from nullspend_daemon.store.transaction import Tx

_PAYING = frozenset({"active", "past_due"})


def plan_of(tx: Tx, org_id: str, *, hosted: bool) -> Plan:
    """The plan in force: the paid tier, free when it is not paid for; without a row no limits, or free if `hosted`."""
    row = tx.one("SELECT tier, status FROM subscriptions WHERE org_id = ?", (org_id,))
    if row is None:
        return FREE if hosted else UNLIMITED
    return PLANS[row["tier"]] if row["status"] in _PAYING else FREE


def check_count(current: int, limit: int | None, what: str, plan: Plan) -> None:
    """Raises LimitExceeded when `current` of `what` are all the plan allows."""
    if limit is not None and current >= limit:
        raise LimitExceeded(f"Maximum of {limit} {what} allowed on the {plan.label} plan. Upgrade for more.")


def check_spend_cap(microdollars: int, plan: Plan) -> None:
    """Raises SpendCapExceeded when an amount is above the plan's cap; equal passes."""
    cap = plan.spend_cap_microdollars
    if cap is not None and microdollars > cap:
        raise SpendCapExceeded(f"The {plan.label} plan allows budgets up to {format_money(cap, decimals=0)}.")
