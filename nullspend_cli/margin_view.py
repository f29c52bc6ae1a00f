"""Margins as a person reads them: percentages, trends, and who is left over."""

from typing import Any

from nullspend_cli.render import Cell, Glyphs, count, money, sparkline
from nullspend_cli.replies import Record
from nullspend_cli.tables import Column, column
from nullspend_cli.when import show_time

_STYLES = {"critical": "red", "at_risk": "yellow", "healthy": "green"}
_LOWEST, _HIGHEST = -100, 100


def percent(value: Any) -> str:
    """Two decimals, as the server rounds them."""
    return f"{value:.2f} %"


def _tier(tier: Any) -> Cell:
    return Cell(str(tier).replace("_", " "), _STYLES.get(str(tier), ""))


def _level(point: Record) -> int:
    """How high a month stands: -100 % and less at the bottom, 100 % at the top."""
    return round(min(max(float(point["marginPercent"]), _LOWEST), _HIGHEST)) - _LOWEST


def trend(points: list[Record], glyphs: Glyphs) -> str:
    """Three months, and after a gap the projected one."""
    height = _HIGHEST - _LOWEST
    past = [_level(point) for point in points if not point.get("projected")]
    coming = [_level(point) for point in points if point.get("projected")]
    return " ".join(sparkline(part, glyphs, top=height) for part in (past, coming) if part)


def columns(glyphs: Glyphs) -> tuple[Column, ...]:
    """The table of customers."""
    return (
        column("tagValue", "CUSTOMER"),
        column("customerName", "NAME", wide=True),
        column("revenueMicrodollars", "REVENUE", money, right=True),
        column("costMicrodollars", "COST", money, right=True),
        column("marginMicrodollars", "MARGIN", money, right=True),
        column("marginPercent", "%", percent, right=True),
        column("healthTier", "HEALTH", _tier),
        column("sparkline", "TREND", lambda points: trend(points, glyphs)),
        column("projectedTierWorsening", "OUTLOOK", lambda worse: "worse" if worse else ""),
        column("budgetSuggestionMicrodollars", "BUDGET TO SET", money, right=True, wide=True),
        column("stripeCustomerId", "AT STRIPE", wide=True),
    )


def _months(months: list[Record]) -> str:
    return "; ".join(f"{each['period']} {money(each['revenue'])} - {money(each['cost'])}" for each in months)


def _models(models: list[Record]) -> str:
    return "; ".join(f"{each['model']} {money(each['cost'])} ({count(each['requestCount'])} calls)" for each in models)


def details() -> tuple[Column, ...]:
    """One customer."""
    return (
        column("tagValue", "CUSTOMER"),
        column("customerName", "NAME"),
        column("stripeCustomerId", "AT STRIPE"),
        column("revenueMicrodollars", "REVENUE", money),
        column("costMicrodollars", "COST", money),
        column("marginPercent", "MARGIN", percent),
        column("healthTier", "HEALTH", _tier),
        column("revenueOverTime", "MONTHS", _months),
        column("modelBreakdown", "MODELS", _models),
    )


def footer(summary: Record) -> str:
    """What the table adds up to, and how current its revenue is."""
    revenue, cost = money(summary.get("totalRevenueMicrodollars")), money(summary.get("totalCostMicrodollars"))
    together = f"Together {percent(summary.get('blendedMarginPercent', 0))} of {revenue} is left after {cost}."
    tiers = f" Critical: {summary.get('criticalCount')}, at risk: {summary.get('atRiskCount')}."
    return together + tiers + _currency(summary)


def _currency(summary: Record) -> str:
    if summary.get("syncStatus") == "disconnected":
        return " Stripe is not connected."
    synced = show_time(summary.get("lastSyncAt"))
    skipped = summary.get("skippedCurrencies") or {}
    left_out = f" Not in dollars, so not counted: {', '.join(f'{n} in {name}' for name, n in skipped.items())}."
    return (f" Revenue as of {synced}." if synced else " Revenue has not been read yet.") + (
        left_out if skipped else ""
    )


def left_over(reply: Record) -> list[Record]:
    """The three lists of the reply as one, each row with its kind and the customer it is about."""
    kinds = (
        ("unmatchedStripeCustomers", "pays, not matched"),
        ("unmappedTagValues", "costs, not matched"),
        ("pendingAutoMatches", "guessed match"),
    )
    return [
        {"kind": kind, "subject": row.get("tagValue") or row.get("stripeCustomerId"), **row}
        for name, kind in kinds
        for row in reply.get(name) or []
    ]
