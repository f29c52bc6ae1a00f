"""What `budgets velocity` shows: the counters of each budget with a velocity limit, beside the limit itself."""

from collections.abc import Sequence
from typing import Any

from nullspend_cli.names import Names
from nullspend_cli.render import Cell, count, money
from nullspend_cli.replies import Record, with_prefixes
from nullspend_cli.tables import Column, column
from nullspend_cli.when import show_duration
from nullspend_daemon.contract.clock import to_iso


def velocity_rows(states: Sequence[Record], budgets: Sequence[Record]) -> list[Record]:
    """The states with the entity their key names, and the limit and cooldown of its budget."""
    by_entity = {(budget["entityType"], budget["entityId"]): budget for budget in budgets}
    return [_row(state, by_entity) for state in states]


def _row(state: Record, budgets: dict[tuple[str, str], Record]) -> Record:
    kind, _, name = str(state["entity_key"]).partition(":")
    named = with_prefixes({"entityType": kind, "entityId": name}, None)
    budget = budgets.get((named["entityType"], named["entityId"]), {})
    return {
        **state,
        **named,
        "velocityLimitMicrodollars": budget.get("velocityLimitMicrodollars"),
        "velocityCooldownSeconds": budget.get("velocityCooldownSeconds"),
    }


def velocity_columns(names: Names) -> tuple[Column, ...]:
    """The columns of `budgets velocity`."""
    return (
        column("entity", value=lambda row: names.entity(row["entityType"], row["entityId"])),
        column("velocityLimitMicrodollars", "LIMIT", money, right=True),
        column("window_size_ms", "IN", show_duration),
        column("current_spend", "THIS WINDOW", money, right=True),
        column("prev_spend", "LAST WINDOW", money, right=True),
        column("current_count", "CALLS", count, right=True),
        column("tripped_at", "BREAKER", value=_breaker, show=_shown_breaker),
    )


def _breaker(row: Record) -> str:
    """`closed`, or until when it is open."""
    tripped_at, cooldown = row.get("tripped_at"), row.get("velocityCooldownSeconds")
    if tripped_at is None:
        return "closed"
    return f"open until {_second(tripped_at + 1000 * cooldown)}" if cooldown else f"open since {_second(tripped_at)}"


def _second(ms: int) -> str:
    text = to_iso(ms)
    return f"{text[:10]} {text[11:19]}Z"


def _shown_breaker(text: Any) -> Cell:
    return Cell(str(text), "red" if str(text).startswith("open") else "")
