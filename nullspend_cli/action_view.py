"""One action for the person who decides: who asks for what, until when, what it has cost, what it would change."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from nullspend_cli.approvals import requested
from nullspend_cli.payload_view import Line, json_lines, payload_lines
from nullspend_cli.render import Cell, money, percent, visible
from nullspend_cli.replies import Record
from nullspend_cli.when import show_duration
from nullspend_daemon.contract.clock import from_iso

_SOON_MS = 60_000


class Facts(NamedTuple):
    """What the server knows beside the action itself. `entity` is the budget's owner in words; `limit_after` what the
    limit would be."""

    costs: Sequence[Record] | None = None
    budget: Record | None = None
    entity: str = ""


def head_lines(action: Record, now_ms: int, facts: Facts) -> list[Line]:
    """Everything above the payload."""
    lines = [
        [Cell(visible(str(action.get("agentId"))), "bold"), Cell(" asks to "), Cell(_type(action), "bold")],
        [Cell("asked      ", "dim"), Cell(f"{age(action, now_ms)} ago")],
        [Cell("expires    ", "dim"), time_left(action, now_ms)],
    ]
    lines += _named(action, "environment", "runs in    ") + _named(action, "sourceFramework", "framework  ")
    if facts.costs is not None:
        spent = sum(event.get("costMicrodollars") or 0 for event in facts.costs)
        calls = "1 call" if len(facts.costs) == 1 else f"{len(facts.costs)} calls"
        lines.append([Cell("cost so far", "dim"), Cell(f" {money(spent)} in {calls}")])
    return lines + _effect(action, facts)


def body_lines(action: Record, *, whole: bool) -> list[Line]:
    """The payload, and the metadata when there is any."""
    lines = payload_lines(action, whole=whole)
    if action.get("metadata"):
        lines += [[], [Cell("metadata", "dim")], *json_lines(action["metadata"], whole=whole)]
    return lines


def age(action: Record, now_ms: int) -> str:
    """How long the action has been waiting."""
    created = _ms(action.get("createdAt"))
    return "some time" if created is None else show_duration(max(0, now_ms - created) // 1000 * 1000)


def time_left(action: Record, now_ms: int) -> Cell:
    """How long it may still be decided."""
    expires = _ms(action.get("expiresAt"))
    if expires is None:
        return Cell("never")
    left = expires - now_ms
    if left <= 0:
        return Cell("expired", "red")
    return Cell(f"in {show_duration(max(1, left // 1000) * 1000)}", "red" if left < _SOON_MS else "")


def outcome(action: Record, who: Any) -> str:
    """What became of an action, as a sentence; `who` makes words of whoever decided."""
    what = f"{action.get('actionType')} of {action.get('agentId')}"
    status = action.get("status")
    if status == "expired":
        return f"The {what} expired before anybody decided."
    decided_by = action.get("rejectedBy") if status == "rejected" else action.get("approvedBy")
    by = f" by {who(str(decided_by))}" if decided_by else ""
    if status == "pending":
        return f"The {what} still waits for a decision."
    verdict = "rejected" if status == "rejected" else "approved"
    later = f" and is {status}" if status in ("executing", "executed", "failed") else ""
    return f"The {what} was {verdict}{by}{later}."


def _type(action: Record) -> str:
    return visible(str(action.get("actionType")))


def _named(action: Record, field: str, title: str) -> list[Line]:
    value = action.get(field)
    return [[Cell(title, "dim"), Cell(visible(str(value)))]] if value else []


def _effect(action: Record, facts: Facts) -> list[Line]:
    """What an approved budget_increase would change."""
    if action.get("actionType") != "budget_increase":
        return []
    title, asked = Cell("budget     ", "dim"), requested(action)
    if facts.budget is None or asked is None:
        return [[title, Cell("There is no such budget: this cannot be approved.", "red")]]
    limit, spent = facts.budget["maxBudgetMicrodollars"], facts.budget["spendMicrodollars"]
    after = limit + asked
    return [
        [title, Cell(visible(facts.entity), "bold"), Cell(f"  {money(limit)} -> "), Cell(money(after), "bold")],
        [
            Cell(" " * len(title.text)),
            Cell(f"{money(spent)} spent: {percent(spent, limit)}% -> {percent(spent, after)}%"),
        ],
    ]


def _ms(iso: Any) -> int | None:
    try:
        return from_iso(iso) if isinstance(iso, str) else None
    except ValueError:
        return None
