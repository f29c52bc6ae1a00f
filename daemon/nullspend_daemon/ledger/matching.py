"""What a check reads: the budgets that match a call with all that counts, in one query; and what is held of them."""

from functools import cache

from nullspend_daemon.ledger.budgets import Entity, from_row, store_roll
from nullspend_daemon.ledger.rules import Matched
from nullspend_daemon.ledger.velocity import Velocity
from nullspend_daemon.store.transaction import Row, Tx

# total() and not sum(): absurd estimates must not overflow 64 bits. Below 2^53 it is exact.
_TOTAL = "CAST(total(h.amount_microdollars) AS INTEGER)"
_RESERVED = f"SELECT {_TOTAL} FROM hold_entities h WHERE h.budget_id = b.id AND h.expires_at > :now"
_SESSION_SPEND = (
    "coalesce((SELECT s.spend_microdollars FROM budget_sessions s WHERE s.budget_id = b.id"
    f" AND s.session_id = :session), 0) + ({_RESERVED} AND h.session_id = :session)"
)


def matched_budgets(tx: Tx, org_id: str, entities: list[Entity], session_id: str | None) -> list[Matched]:
    """The budgets of `entities` in (type, id) order, in their current periods; those that lapsed are rolled."""
    params: dict[str, object] = {"org": org_id, "now": tx.now_ms, "session": session_id}
    for n, (entity_type, entity_id) in enumerate(entities):
        params[f"type{n}"], params[f"id{n}"] = entity_type, entity_id
    rows = tx.all(_select(len(entities), session_id is not None), params)
    return [
        Matched(store_roll(tx, from_row(row)), row["reserved"], _velocity(row), row["session_spend"]) for row in rows
    ]


def reserved_of(tx: Tx, budget_id: str) -> int:
    """What live holds reserve of one budget, microdollars."""
    return tx.value(f"SELECT ({_RESERVED}) FROM budgets b WHERE b.id = :id", {"now": tx.now_ms, "id": budget_id}) or 0


def held_by_entity(tx: Tx) -> list[Row]:
    """(org_id, entity_type, entity_id, reserved, holds) of every budget with live holds, in all organizations."""
    return tx.all(
        f"SELECT b.org_id, b.entity_type, b.entity_id, {_TOTAL} AS reserved, count(*) AS holds"
        " FROM hold_entities h JOIN budgets b ON b.id = h.budget_id WHERE h.expires_at > ?"
        " GROUP BY b.id ORDER BY b.org_id, b.entity_type, b.entity_id",
        (tx.now_ms,),
    )


@cache
def _select(entities: int, in_session: bool) -> str:
    wanted = ", ".join(f"(:type{n}, :id{n})" for n in range(entities))
    return (
        f"WITH wanted (type, id) AS (VALUES {wanted})"
        f" SELECT b.*, ({_RESERVED}) AS reserved, {_SESSION_SPEND if in_session else 0} AS session_spend,"
        " v.window_start, v.current_count, v.current_microdollars, v.previous_count, v.previous_microdollars,"
        " v.tripped_at, v.tripped_microdollars"
        # CROSS: each wanted entity is looked up in the unique index, however many budgets the organization has.
        " FROM wanted CROSS JOIN budgets b ON b.org_id = :org AND b.entity_type = wanted.type"
        " AND b.entity_id = wanted.id LEFT JOIN budget_velocity v ON v.budget_id = b.id"
        " ORDER BY b.entity_type, b.entity_id"
    )


def _velocity(row: Row) -> Velocity | None:
    if row["window_start"] is None:
        return None
    return Velocity(
        row["window_start"],
        row["current_count"],
        row["current_microdollars"],
        row["previous_count"],
        row["previous_microdollars"],
        row["tripped_at"],
        row["tripped_microdollars"],
    )
