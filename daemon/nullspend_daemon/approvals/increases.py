"""What a budget_increase asks for, and the change it makes once approved: core 6.4."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic_core import from_json

from nullspend_daemon.contract.ids import InvalidId, Kind, parse_id
from nullspend_daemon.contract.money import MAX_MICRODOLLARS
from nullspend_daemon.errors import BudgetEntityNotFound, ValidationFailed
from nullspend_daemon.http.wire import Microdollars, PositiveMicrodollars, Wire, read_body, sized
from nullspend_daemon.ledger.budgets import Budget, Entity, find, set_limit
from nullspend_daemon.store.plans import check_spend_cap, plan_of
from nullspend_daemon.store.transaction import Tx

_KINDS = {"user": Kind.USER, "api_key": Kind.KEY}


class IncreasePayload(Wire):
    """The payload of a budget_increase, checked when it is approved. The two current values are what the agent knew."""

    entity_type: Annotated[str, sized(1, 50)]
    entity_id: Annotated[str, sized(1, 255)]
    requested_amount_microdollars: PositiveMicrodollars
    current_limit_microdollars: Microdollars
    current_spend_microdollars: Microdollars
    reason: Annotated[str, sized(1, 2000)]


@dataclass(frozen=True, slots=True)
class Increase:
    """A limit that was raised. Money in microdollars."""

    budget: Budget
    new_limit: int
    amount: int
    requested: int


def read_payload(text: str) -> IncreasePayload:
    """A stored payload as a budget increase. Raises ValidationFailed with paths that start at `payload`."""
    try:
        return read_body(IncreasePayload, text.encode())
    except ValidationFailed as error:
        issues: list[dict[str, Any]] = (error.details or {})["issues"]
        raise ValidationFailed.of([(["payload", *issue["path"]], issue["message"]) for issue in issues]) from None


def apply_increase(tx: Tx, org_id: str, payload: str, approved: int | None, *, hosted: bool) -> Increase:
    """Raise the limit that `payload` names by `approved`, else by what it asks for; applies at once, spend stays.

    Raises ValidationFailed, BudgetEntityNotFound or SpendCapExceeded, and changes nothing then.
    """
    asked = read_payload(payload)
    budget = find(tx, org_id, entity_of(asked.entity_type, asked.entity_id))
    if budget is None:
        raise BudgetEntityNotFound(f"There is no {asked.entity_type} budget for {asked.entity_id}.")
    amount = asked.requested_amount_microdollars if approved is None else approved
    new_limit = budget.limit + amount
    check_spend_cap(new_limit, plan_of(tx, org_id, hosted=hosted))
    if new_limit > MAX_MICRODOLLARS:
        raise ValidationFailed.at(["approvedAmountMicrodollars"], "The new limit would be larger than any amount")
    set_limit(tx, budget, new_limit)
    return Increase(budget, new_limit, amount, asked.requested_amount_microdollars)


def entity_of(entity_type: str, entity_id: str) -> Entity:
    """The entity a payload names; ids of users and keys with or without their prefix."""
    kind = _KINDS.get(entity_type)
    try:
        return entity_type, entity_id if kind is None else parse_id(kind, entity_id, bare=True)
    except InvalidId:
        return entity_type, entity_id


def audit_metadata(payload: str, increase: Increase | None) -> dict[str, Any]:
    """What the audit log says of a decided budget increase; of a rejected one what it asked for, as far as it did."""
    if increase is None:
        asked: dict[str, Any] = from_json(payload)
        entity_type, entity_id = asked.get("entityType"), asked.get("entityId")
        amount = asked.get("requestedAmountMicrodollars")
        if isinstance(entity_type, str) and isinstance(entity_id, str):
            entity_type, entity_id = entity_of(entity_type, entity_id)
    else:
        entity_type, entity_id = increase.budget.entity_type, increase.budget.entity_id
        amount = increase.amount
    return {"entityType": entity_type, "entityId": entity_id, "amountMicrodollars": amount}
