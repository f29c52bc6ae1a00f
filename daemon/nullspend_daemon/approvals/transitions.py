"""Which status may follow which: core 6."""

from nullspend_daemon.errors import InvalidActionTransition

NEXT: dict[str, frozenset[str]] = {
    "pending": frozenset({"approved", "rejected", "expired"}),
    "approved": frozenset({"executing"}),
    "executing": frozenset({"executed", "failed"}),
    "rejected": frozenset(),
    "expired": frozenset(),
    "executed": frozenset(),
    "failed": frozenset(),
}


def check_transition(current: str, wanted: str) -> None:
    """Raises InvalidActionTransition when `wanted` may not follow `current`."""
    if wanted not in NEXT[current]:
        raise InvalidActionTransition(f"Cannot transition action from {current} to {wanted}.")
