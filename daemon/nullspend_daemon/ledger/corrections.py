"""A background reply is charged its hold at once; the first final usage seen of it corrects that, once."""

from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json, to_json

from nullspend_daemon.contract.money import MAX_MICRODOLLARS
from nullspend_daemon.ledger.alerts import Cause
from nullspend_daemon.ledger.charges import Charges
from nullspend_daemon.ledger.events import counted_row
from nullspend_daemon.ledger.rollups import ESTIMATED_TAG, Rollups
from nullspend_daemon.store.transaction import Row, Tx

ESTIMATE_TAGS = (ESTIMATED_TAG, "_ns_no_usage")
"""What marks an event whose cost is the hold, for want of a usage; both go with the correction."""
_CORRECT = (
    "UPDATE cost_events SET awaited_reply = NULL, model = ?, input_tokens = ?, output_tokens = ?,"
    " cached_input_tokens = ?, reasoning_tokens = ?, cost_microdollars = ?, cost_breakdown = ?, stop_reason = ?,"
    " tags = ?, explanation = ? WHERE seq = ?"
)
_ADD_TO_SESSION = (
    "UPDATE cost_sessions SET cost_microdollars = max(0, min(cost_microdollars + ?, ?))"
    " WHERE org_id = ? AND session_id = ?"
)
_ADD_TO_BUDGET_SESSION = (
    "UPDATE budget_sessions SET spend_microdollars = max(0, min(spend_microdollars + ?, ?))"
    " WHERE budget_id = ? AND session_id = ?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """What a background reply really used. The cost in microdollars; `tags` come on top of the event's own."""

    model: str
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int
    cost_microdollars: int
    cost_breakdown: dict[str, int] | None
    stop_reason: str | None
    tags: dict[str, str]
    explanation: dict[str, Any] | None = None


def awaited_event(tx: Tx, org_id: str, reply_id: str) -> Row | None:
    """The event that waits for the final usage of a background reply, or None."""
    return tx.one("SELECT * FROM cost_events WHERE org_id = ? AND awaited_reply = ?", (org_id, reply_id))


def correct(tx: Tx, org_id: str, reply_id: str, final: Final) -> bool:
    """Correct the event of a background reply, its roll-ups and what it was charged to. False when no event waits.

    A budget that was reset or rolled since the event is left alone, and `cost_event.created` is not sent again.
    """
    event = awaited_event(tx, org_id, reply_id)
    if event is None:
        return False
    rollups = Rollups(tx)
    rollups.take_back(counted_row(event))
    _store(tx, event, final)
    corrected = tx.one("SELECT * FROM cost_events WHERE seq = ?", (event["seq"],))
    if corrected is not None:
        rollups.add(counted_row(corrected))
    rollups.store()
    _charge(tx, event, final)
    return True


def _store(tx: Tx, event: Row, final: Final) -> None:
    tags: dict[str, str] = {k: v for k, v in from_json(event["tags"]).items() if k not in ESTIMATE_TAGS}
    breakdown = None if final.cost_breakdown is None else to_json(final.cost_breakdown).decode()
    values: tuple[Any, ...] = (
        final.model,
        final.input_tokens,
        final.output_tokens,
        final.cached_input_tokens,
        final.reasoning_tokens,
        final.cost_microdollars,
        breakdown,
        final.stop_reason,
        to_json(tags | final.tags).decode(),
        None if final.explanation is None else to_json(final.explanation).decode(),
    )
    tx.execute(_CORRECT, (*values, event["seq"]))
    tx.execute("DELETE FROM cost_event_tags WHERE event_seq = ?", (event["seq"],))
    tx.executemany(
        "INSERT INTO cost_event_tags (org_id, tag_key, tag_value, event_seq) VALUES (?, ?, ?, ?)",
        [(event["org_id"], key, value, event["seq"]) for key, value in (tags | final.tags).items()],
    )


def _charge(tx: Tx, event: Row, final: Final) -> None:
    difference = final.cost_microdollars - event["cost_microdollars"]
    charged: dict[str, int] = from_json(event["charged"] or "{}")
    charges = Charges(tx, event["org_id"])
    now_in = charges.periods(charges.of_ids(charged))
    same = [budget_id for budget_id, number in charged.items() if now_in.get(budget_id) == number]
    charges.charge(same, Cause(event["request_id"], difference, event["provider"], final.model, tx.now_ms))
    charges.store()
    session_id = event["session_id"]
    if session_id is not None:
        tx.execute(_ADD_TO_SESSION, (difference, MAX_MICRODOLLARS, event["org_id"], session_id))
        rows = [(difference, MAX_MICRODOLLARS, budget_id, session_id) for budget_id in same]
        tx.executemany(_ADD_TO_BUDGET_SESSION, rows)
