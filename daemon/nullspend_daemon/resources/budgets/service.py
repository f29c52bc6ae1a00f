"""Rows of budgets in, records of core 4 out. What a charge does to them is the ledger's."""

from typing import Any

from pydantic_core import to_json

from nullspend_daemon.contract.clock import to_iso, to_iso_or_none
from nullspend_daemon.contract.ids import Kind, new_id
from nullspend_daemon.errors import Forbidden, NotFound, ValidationFailed
from nullspend_daemon.http.caller import Caller
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.ledger import velocity_states
from nullspend_daemon.ledger.budgets import Budget, Entity, find, from_row, start_period, store_roll
from nullspend_daemon.resources.budgets.models import DEFAULT_SECONDS, DEFAULT_THRESHOLDS, SetBudget
from nullspend_daemon.store import audit
from nullspend_daemon.store.identity import RANK
from nullspend_daemon.store.pages import NEWEST_FIRST
from nullspend_daemon.store.plans import check_count, check_spend_cap, plan_of
from nullspend_daemon.store.transaction import Row, Tx

_OWN_TYPES = frozenset({"user", "api_key"})


def list_budgets(tx: Tx, call: Call[None, None]) -> Record:
    """List the organization's budgets, newest first, each in its current period."""
    rows = tx.all(f"SELECT * FROM budgets WHERE org_id = ? {NEWEST_FIRST}", (call.caller.org_id,))
    return {"data": [_record(row, tx.now_ms) for row in rows]}


def budget_status(tx: Tx, call: Call[None, None]) -> Record:
    """Show the budgets of the calling key and of its owner."""
    key = call.caller.api_key
    entities = (("user", key.user_id), ("api_key", key.key_id))
    budgets = [find(tx, key.org_id, entity) for entity in entities]
    return {"entities": [_status(budget.at(tx.now_ms)) for budget in budgets if budget is not None]}


def set_budget(tx: Tx, call: Call[SetBudget, None]) -> Record:
    """Create or change the budget of one entity; what is left out stays, except the reset interval."""
    caller, body = call.caller, call.body
    _check_ownership(tx, caller, body)
    plan = plan_of(tx, caller.org_id, hosted=call.settings.hosted)
    check_spend_cap(body.max_budget_microdollars, plan)
    stored = _stored(tx, caller.org_id, (body.entity_type, body.entity_id))
    _check_reserve(stored, body)
    if stored is None:
        count = tx.value("SELECT count(*) FROM budgets WHERE org_id = ?", (caller.org_id,))
        check_count(count, plan.budgets, "budgets", plan)
        budget_id = _insert(tx, caller, body)
    else:
        budget_id = stored["id"]
        _update(tx, stored, body)
    row = _row(tx, caller.org_id, budget_id)
    velocity_states.follow_settings(tx, stored, row)
    _audit(tx, caller, "budget.created" if stored is None else "budget.updated", row)
    return _record(row, tx.now_ms)


def reset_budget(tx: Tx, call: Call[None, None]) -> Record:
    """Set a budget's spend, its sessions' and its velocity to 0 and start its period now; live holds stay."""
    row = _row(tx, call.caller.org_id, call.params["id"])
    start_period(tx, row["id"], tx.now_ms)
    tx.execute("UPDATE budgets SET updated_at = ? WHERE id = ?", (tx.now_ms, row["id"]))
    tx.execute("DELETE FROM budget_sessions WHERE budget_id = ?", (row["id"],))
    velocity_states.clear(tx, row)
    _audit(tx, call.caller, "budget.reset", row)
    return _record(_row(tx, call.caller.org_id, row["id"]), tx.now_ms)


def delete_budget(tx: Tx, call: Call[None, None]) -> Record:
    """Delete a budget."""
    row = _row(tx, call.caller.org_id, call.params["id"])
    tx.execute("DELETE FROM budgets WHERE id = ?", (row["id"],))
    _audit(tx, call.caller, "budget.deleted", row)
    return {"deleted": True}


def _check_ownership(tx: Tx, caller: Caller, body: SetBudget) -> None:
    """Members set budgets of their own user and keys; tags and customers belong to everybody, so they need an admin."""
    if body.entity_type not in _OWN_TYPES:
        if caller.role is None or RANK[caller.role] < RANK["admin"]:
            raise Forbidden(f"Setting a {body.entity_type} budget requires the admin role or higher.")
    elif body.entity_type == "user":
        if body.entity_id != caller.user_id:
            raise Forbidden("Cannot manage budgets for other users.")
    elif not tx.one(
        "SELECT 1 FROM api_keys WHERE id = ? AND org_id = ? AND user_id = ? AND revoked_at IS NULL",
        (body.entity_id, caller.org_id, caller.user_id),
    ):
        raise Forbidden("API key not found or not owned by you.")


def _stored(tx: Tx, org_id: str, entity: Entity) -> Row | None:
    """The row of an entity's budget in its current period: a change must not carry a lapsed period's spend over."""
    budget = find(tx, org_id, entity)
    return None if budget is None else _row(tx, org_id, store_roll(tx, budget).id)


def _check_reserve(stored: Row | None, body: SetBudget) -> None:
    """The reserve is a part of the budget, also when only the limit changes."""
    reserve = body.finalization_reserve_microdollars
    if reserve is None:
        reserve = 0 if stored is None else stored["reserve_microdollars"]
    if reserve > body.max_budget_microdollars:
        raise ValidationFailed.at(["finalizationReserveMicrodollars"], "Must not exceed maxBudgetMicrodollars")


def _insert(tx: Tx, caller: Caller, body: SetBudget) -> str:
    columns: dict[str, Any] = {
        "id": new_id(Kind.BUDGET, tx.now_ms),
        "org_id": caller.org_id,
        "entity_type": body.entity_type,
        "entity_id": body.entity_id,
        "thresholds": _thresholds(DEFAULT_THRESHOLDS),
        "policy": "strict_block",
        "velocity_window_seconds": DEFAULT_SECONDS,
        "velocity_cooldown_seconds": DEFAULT_SECONDS,
        "created_by": caller.user_id,
        "created_at": tx.now_ms,
        **_given(tx, body),
    }
    names, marks = ", ".join(columns), ", ".join(f":{name}" for name in columns)
    tx.execute(f"INSERT INTO budgets ({names}) VALUES ({marks})", columns)
    return columns["id"]


def _update(tx: Tx, stored: Row, body: SetBudget) -> None:
    columns = _given(tx, body)
    assignments = ", ".join(f"{name} = :{name}" for name in columns)
    tx.execute(f"UPDATE budgets SET {assignments} WHERE id = :id", {**columns, "id": stored["id"]})


def _given(tx: Tx, body: SetBudget) -> dict[str, Any]:
    """The columns a body sets: what it names, and the reset interval, which leaving out clears."""
    columns: dict[str, Any] = {
        "max_microdollars": body.max_budget_microdollars,
        "reset_interval": body.reset_interval,
        "updated_at": tx.now_ms,
    }
    if body.reset_interval is not None:
        columns["period_start"] = tx.now_ms
    if body.given("policy"):
        columns["policy"] = body.policy
    if body.given("threshold_percentages"):
        columns["thresholds"] = _thresholds(body.threshold_percentages or ())
    if body.given("velocity_window_seconds"):
        columns["velocity_window_seconds"] = body.velocity_window_seconds
    if body.given("velocity_cooldown_seconds"):
        columns["velocity_cooldown_seconds"] = body.velocity_cooldown_seconds
    if body.given("velocity_limit_microdollars"):
        columns["velocity_limit_microdollars"] = body.velocity_limit_microdollars
        if body.velocity_limit_microdollars is None:
            columns["velocity_window_seconds"] = columns["velocity_cooldown_seconds"] = DEFAULT_SECONDS
    if body.given("session_limit_microdollars"):
        columns["session_limit_microdollars"] = body.session_limit_microdollars
    if body.given("finalization_reserve_microdollars"):
        columns["reserve_microdollars"] = body.finalization_reserve_microdollars
    return columns


def _thresholds(percents: Any) -> str:
    return to_json(list(percents)).decode()


def _row(tx: Tx, org_id: str, budget_id: str) -> Row:
    row = tx.one("SELECT * FROM budgets WHERE id = ? AND org_id = ?", (budget_id, org_id))
    if row is None:
        raise NotFound("Budget not found.")
    return row


def _settings_of(budget: Budget) -> Record:
    """What a budget's record and its status have in common."""
    return {
        "policy": budget.policy,
        "resetInterval": budget.interval,
        "currentPeriodStart": to_iso_or_none(budget.period_start),
        "thresholdPercentages": list(budget.thresholds),
        "velocityLimitMicrodollars": budget.velocity_limit,
        "velocityWindowSeconds": budget.velocity_window_seconds,
        "velocityCooldownSeconds": budget.velocity_cooldown_seconds,
        "sessionLimitMicrodollars": budget.session_limit,
        "finalizationReserveMicrodollars": budget.reserve,
    }


def _record(row: Row, now_ms: int) -> Record:
    budget = from_row(row).at(now_ms)
    return {
        "id": budget.id,
        "entityType": budget.entity_type,
        "entityId": budget.entity_id,
        "maxBudgetMicrodollars": budget.limit,
        "spendMicrodollars": budget.spend,
        **_settings_of(budget),
        "createdAt": to_iso(row["created_at"]),
        "updatedAt": to_iso(row["updated_at"]),
    }


def _status(budget: Budget) -> Record:
    return {
        "entityType": budget.entity_type,
        "entityId": budget.entity_id,
        "limitMicrodollars": budget.limit,
        "spendMicrodollars": budget.spend,
        "remainingMicrodollars": budget.remaining,
        **_settings_of(budget),
    }


def _audit(tx: Tx, caller: Caller, action: str, row: Row) -> None:
    audit.record(
        tx,
        org_id=caller.org_id,
        actor_id=caller.user_id,
        action=action,
        resource=("budget", row["id"]),
        metadata={
            "entityType": row["entity_type"],
            "entityId": row["entity_id"],
            "maxBudgetMicrodollars": row["max_microdollars"],
        },
    )
