"""The velocity state of budgets as rows: made with the limit, zeroed with the window or by a reset, gone with both."""

from collections.abc import Mapping

from nullspend_daemon.ledger.velocity import Velocity
from nullspend_daemon.store.transaction import Row, Tx

_STORE = (
    "INSERT OR REPLACE INTO budget_velocity (budget_id, window_start, current_count, current_microdollars,"
    " previous_count, previous_microdollars, tripped_at, tripped_microdollars) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)


def store_states(tx: Tx, states: Mapping[str, Velocity]) -> None:
    """Write the states of budgets, by id."""
    tx.executemany(_STORE, [(budget_id, *_columns(state)) for budget_id, state in states.items()])


def _columns(state: Velocity) -> tuple[int | None, ...]:
    return (
        state.window_start,
        state.current_count,
        state.current,
        state.previous_count,
        state.previous,
        state.tripped_at,
        state.tripped_spend,
    )


def follow_settings(tx: Tx, before: Row | None, after: Row) -> None:
    """Bring the state in step with a budget that was just saved; `before` is its row as it was, None for a new one.

    A limit makes a state, so that already the first call is tested. Another window starts counting anew, while a
    breaker that is open stays open. Without a limit there is no state.
    """
    if after["velocity_limit_microdollars"] is None:
        tx.execute("DELETE FROM budget_velocity WHERE budget_id = ?", (after["id"],))
    elif before is None or before["velocity_limit_microdollars"] is None:
        store_states(tx, {after["id"]: Velocity(tx.now_ms)})
    elif before["velocity_window_seconds"] != after["velocity_window_seconds"]:
        tx.execute(
            "UPDATE budget_velocity SET window_start = ?, current_count = 0, current_microdollars = 0,"
            " previous_count = 0, previous_microdollars = 0 WHERE budget_id = ?",
            (tx.now_ms, after["id"]),
        )


def clear(tx: Tx, budget: Row) -> None:
    """Start counting anew with the breaker closed, as a manual reset does."""
    if budget["velocity_limit_microdollars"] is not None:
        store_states(tx, {budget["id"]: Velocity(tx.now_ms)})
