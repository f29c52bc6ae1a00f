"""Threshold crossings: what a charge made true that was not true before."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.ledger.budgets import Budget

CRITICAL_FROM = 90
Alert = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Cause:
    """The event that charged a budget, as its alerts name it. Money in microdollars, the time in epoch ms."""

    request_id: str
    cost: int
    provider: str
    model: str
    at_ms: int


def percent(spend: int, limit: int) -> int:
    """floor(100 * spend / limit), exact for any integers."""
    return 100 * spend // limit


def crossings(budget: Budget, before: int, after: int, request_id: str) -> Iterator[Alert]:
    """One alert for each threshold t that a spend passes from `before` to `after`, in ascending order.

    A threshold is passed when floor(100 * before / limit) < t <= floor(100 * after / limit); critical from 90 on.
    """
    start, end = percent(before, budget.limit), percent(after, budget.limit)
    for threshold in budget.thresholds:
        if start < threshold <= end:
            severity = "critical" if threshold >= CRITICAL_FROM else "warning"
            yield (
                f"budget.threshold.{severity}",
                {
                    **budget.entity_keys,
                    "threshold_percent": threshold,
                    "budget_spend_microdollars": after,
                    "budget_limit_microdollars": budget.limit,
                    "budget_remaining_microdollars": max(0, budget.limit - after),
                    "triggered_by_request_id": request_id,
                },
            )


def reported_over_limit(budget: Budget, before: int, after: int, cause: Cause) -> Iterator[Alert]:
    """`budget.exceeded` when reported spend, which nothing could deny, takes a budget to 100 % or more.

    Silent when 100 is itself a threshold: the crossing says it already.
    """
    crossed = percent(before, budget.limit) < 100 <= percent(after, budget.limit)
    if crossed and 100 not in budget.thresholds:
        yield (
            "budget.exceeded",
            {
                **budget.entity_keys,
                "budget_limit_microdollars": budget.limit,
                "budget_spend_microdollars": after,
                "estimated_request_cost_microdollars": cause.cost,
                "model": cause.model,
                "provider": cause.provider,
                "blocked_at": to_iso(cause.at_ms),
                "triggered_by_request_id": cause.request_id,
            },
        )
