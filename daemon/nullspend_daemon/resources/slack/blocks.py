"""Slack's Block Kit: the few blocks the messages are made of. Text from outside is escaped, so it is never markup."""

from collections.abc import Sequence
from typing import Any

from nullspend_daemon.contract.money import format_money

Block = dict[str, Any]
Message = dict[str, Any]

_LONGEST_HEADER = 150


def escape(text: str) -> str:
    """Text from outside, in a form in which Slack sees no link, mention or formatting entity."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def dollars(microdollars: Any) -> str:
    """An amount with two decimals; `unknown` for what is none."""
    is_amount = isinstance(microdollars, int) and not isinstance(microdollars, bool)
    return format_money(microdollars, decimals=2) if is_amount else "unknown"


def message(text: str, *blocks: Block) -> Message:
    """A message; `text` is what notifications show."""
    return {"text": text, "blocks": list(blocks)}


def header(text: str) -> Block:
    """A large line."""
    return {"type": "header", "text": {"type": "plain_text", "text": text[:_LONGEST_HEADER], "emoji": True}}


def section(markdown: str) -> Block:
    """A paragraph."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": markdown}}


def fields(pairs: Sequence[tuple[str, str]]) -> Block:
    """Names and values in two columns."""
    return {
        "type": "section",
        "fields": [{"type": "mrkdwn", "text": f"*{name}:*\n{value}"} for name, value in pairs],
    }


def context(markdown: str) -> Block:
    """A remark in small letters."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": markdown}]}


def buttons(*elements: Block) -> Block:
    """A row of buttons."""
    return {"type": "actions", "elements": list(elements)}


def button(text: str, action_id: str, **more: str) -> Block:
    """A button; `more` is its value, url or style."""
    return {"type": "button", "text": {"type": "plain_text", "text": text}, "action_id": action_id, **more}
