"""What Slack says of actions: that one waits for a decision, what was decided, what is left after an increase."""

from typing import Any

from pydantic_core import to_json

from nullspend_daemon.contract.ids import uuid_of
from nullspend_daemon.ledger.budgets import Budget
from nullspend_daemon.resources.slack import blocks
from nullspend_daemon.resources.slack.blocks import Block, Message, dollars, escape

_ENTRIES = 3
_LONGEST_VALUE = 100
_LONGEST_REASON = 500
NO_THREADS = "Threading is unavailable: set SLACK_BOT_TOKEN and SLACK_CHANNEL_ID to hear in a thread what became of it."


def requested(dash: str, action: dict[str, Any]) -> Message:
    """An action waits for a decision; `action` is `data.object` of action.created."""
    kind, agent = escape(str(action["action_type"])), escape(str(action["agent_id"]))
    return blocks.message(
        f"{agent} asks to {kind}",
        blocks.header("Action needs approval"),
        blocks.fields([("Type", kind), ("Agent", agent)]),
        *_payload(action["payload"]),
        decide_buttons(dash, str(action["action_id"])),
    )


def increase_requested(dash: str, action: dict[str, Any], budget: Budget | None, *, threaded: bool) -> Message:
    """A budget increase waits for a decision. Limit and spend are the budget's own where it exists, else what the
    agent said of it."""
    payload: dict[str, Any] = action["payload"]
    agent = escape(str(action["agent_id"]))
    asked = payload.get("requestedAmountMicrodollars")
    limit = payload.get("currentLimitMicrodollars") if budget is None else budget.limit
    spend = payload.get("currentSpendMicrodollars") if budget is None else budget.spend
    raised = limit + asked if isinstance(limit, int) and isinstance(asked, int) else None
    reason = escape(_text(payload.get("reason", ""))[:_LONGEST_REASON])
    return blocks.message(
        f"{agent} asks for {dollars(asked)} more budget",
        blocks.header("Budget increase requested"),
        blocks.fields(
            [
                ("Current limit", dollars(limit)),
                ("Current spend", dollars(spend)),
                ("Requested increase", dollars(asked)),
                ("New limit", dollars(raised)),
                ("Agent", agent),
            ]
        ),
        blocks.section(f"*Reason:* {reason or '_none given_'}"),
        decide_buttons(dash, str(action["action_id"])),
        *([] if threaded else [blocks.context(NO_THREADS)]),
    )


def increase_done(budget: Budget | None) -> Message:
    """The reply in the thread of an increase that was carried out."""
    left = "" if budget is None else f" Remaining: *{dollars(budget.remaining)}* of {dollars(budget.limit)}."
    text = f":white_check_mark: The agent goes on with the higher budget.{left}"
    return blocks.message(text.replace("*", ""), blocks.section(text))


def decide_buttons(dash: str, action_id: str) -> Block:
    """Approve, Reject, View. The value is the bare UUID."""
    value = uuid_of(action_id)
    return blocks.buttons(
        blocks.button("Approve", "approve_action", value=value, style="primary"),
        blocks.button("Reject", "reject_action", value=value, style="danger"),
        blocks.button("View", "view_dashboard", url=f"{dash}/app/actions/{action_id}"),
    )


def _payload(payload: dict[str, Any]) -> list[Block]:
    entries = list(payload.items())[:_ENTRIES]
    if not entries:
        return [blocks.section("_No payload_")]
    return [
        blocks.section(f"*{escape(key[:_LONGEST_VALUE])}:* {escape(_text(value)[:_LONGEST_VALUE])}")
        for key, value in entries
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else to_json(value).decode()
