"""What Slack says of budgets that run out, of margins that got worse, and when it is tried out."""

from typing import Any
from urllib.parse import quote

from nullspend_daemon.resources.slack import blocks
from nullspend_daemon.resources.slack.blocks import Message, dollars, escape

_SEVERITIES = {
    "warning": (":warning:", "Budget warning"),
    "critical": (":red_circle:", "Budget almost used up"),
    "exceeded": (":rotating_light:", "Budget exceeded"),
}
_TIERS = {
    "healthy": ":large_green_circle:",
    "moderate": ":large_blue_circle:",
    "at_risk": ":warning:",
    "critical": ":red_circle:",
}
_MOST_PERCENT = 999


def budget_alert(dash: str, event_type: str, alert: dict[str, Any]) -> Message:
    """A budget passed a threshold, or is used up; `alert` is the event's `data.object`."""
    severity = _severity(event_type)
    emoji, title = _SEVERITIES[severity]
    spend, limit = alert["budget_spend_microdollars"], alert["budget_limit_microdollars"]
    entity = escape(f"{alert['budget_entity_type']}/{alert['budget_entity_id']}")
    threshold = "100%+" if severity == "exceeded" else f"{alert['threshold_percent']}%"
    used = min(_MOST_PERCENT, 100 * spend // limit)
    return blocks.message(
        f"{emoji} {title}: {entity}, {used}% of {dollars(limit)}",
        blocks.header(f"{emoji} {title}"),
        blocks.fields(
            [
                ("Entity", entity),
                ("Severity", severity),
                ("Spend", dollars(spend)),
                ("Limit", dollars(limit)),
                ("Threshold", threshold),
                ("Usage", f"{used}%"),
            ]
        ),
        blocks.buttons(blocks.button("View budgets", "view_budgets", url=f"{dash}/app/budgets")),
    )


def margin_alert(dash: str, crossing: dict[str, Any]) -> Message:
    """A customer's margin got worse; `crossing` is `data.object` of margin.threshold_crossed."""
    customer, margin = crossing["customer"], crossing["margin"]
    tag = str(customer["tagValue"])
    name = escape(str(customer["name"] or tag))
    current = margin["currentTier"]
    link = quote(tag, safe="")
    return blocks.message(
        f"{_TIERS[current]} The margin of {name} is {_percent(margin['current'])}",
        blocks.header(f"{_TIERS[current]} Margin got worse"),
        blocks.fields(
            [
                ("Customer", name),
                ("Period", escape(str(crossing["period"]))),
                ("Previous", _tier(margin["previous"], margin["previousTier"])),
                ("Current", _tier(margin["current"], current)),
                ("Revenue", dollars(crossing["revenue_microdollars"])),
                ("Cost", dollars(crossing["cost_microdollars"])),
            ]
        ),
        blocks.buttons(
            blocks.button("View margin", "view_margin", url=f"{dash}/app/margins/{link}"),
            blocks.button("Set a budget", "set_budget", url=f"{dash}/app/budgets/new?entity=tag:customer={link}"),
        ),
    )


def trial(dash: str) -> Message:
    """The message of POST /api/slack/test."""
    text = f"NullSpend can write here. <{dash}/app/inbox|What waits for a decision>"
    return blocks.message("NullSpend can write here.", blocks.section(text))


def _severity(event_type: str) -> str:
    if event_type.endswith(".exceeded"):
        return "exceeded"
    return "critical" if event_type.endswith(".critical") else "warning"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}%"


def _tier(fraction: float, tier: str) -> str:
    return f"{_TIERS[tier]} {_percent(fraction)} ({tier})"
