"""Margins on the wire."""

from typing import Annotated, Literal

from pydantic import PlainValidator, StringConstraints

from nullspend_daemon.http.wire import Query, Wire
from nullspend_daemon.payments.margins import Tier
from nullspend_daemon.payments.months import Month

MonthText = Annotated[str, StringConstraints(pattern=r"^(19[789]\d|[2-8]\d{3})-(0[1-9]|1[0-2])$")]
Period = Annotated[Month, PlainValidator(lambda text: Month.parse(str(text)), json_schema_input_type=MonthText)]
"""A month written YYYY-MM, from 1970 to 8999."""


class MarginQuery(Query):
    """Query of GET /api/margins/:customer: a month written YYYY-MM, the current one unless given."""

    period: Period | None = None


class MarginTableQuery(MarginQuery):
    """Query of GET /api/margins."""

    format: Literal["json", "csv"] = "json"


class Point(Wire):
    """A month of a sparkline; `projected` marks the one that has not happened yet."""

    period: str
    margin_percent: float
    projected: Literal[True] | None = None


class CustomerMargin(Wire):
    """A row of the table."""

    stripe_customer_id: str
    customer_name: str | None
    avatar_url: str | None
    tag_value: str
    revenue_microdollars: int
    cost_microdollars: int
    margin_microdollars: int
    margin_percent: float
    health_tier: Tier
    sparkline: list[Point]
    projected_tier_worsening: bool
    budget_suggestion_microdollars: int | None


class Summary(Wire):
    """What the table adds up to."""

    blended_margin_percent: float
    total_revenue_microdollars: int
    total_cost_microdollars: int
    critical_count: int
    at_risk_count: int
    last_sync_at: str | None
    sync_status: Literal["active", "error", "revoked", "disconnected"]
    skipped_currencies: dict[str, int] | None


class MarginTable(Wire):
    """Reply of GET /api/margins."""

    summary: Summary
    customers: list[CustomerMargin]


class MonthOfCustomer(Wire):
    """Revenue and cost of one month, in microdollars."""

    period: str
    revenue: int
    cost: int


class ModelOfCustomer(Wire):
    """What one model cost for a customer, in microdollars."""

    model: str
    cost: int
    request_count: int


class CustomerDetail(Wire):
    """Reply of GET /api/margins/:customer."""

    stripe_customer_id: str
    customer_name: str | None
    avatar_url: str | None
    tag_value: str
    health_tier: Tier
    margin_percent: float
    revenue_microdollars: int
    cost_microdollars: int
    revenue_over_time: list[MonthOfCustomer]
    model_breakdown: list[ModelOfCustomer]


class UnmatchedCustomer(Wire):
    """Somebody who pays and is mapped to no customer of the cost events."""

    stripe_customer_id: str
    customer_name: str | None
    customer_email: str | None
    total_revenue_microdollars: int


class UnmappedValue(Wire):
    """A customer of the cost events who is mapped to nobody who pays."""

    tag_value: str
    total_cost_microdollars: int
    request_count: int


class PendingMatch(Wire):
    """A mapping that was made automatically and has not been confirmed."""

    id: str
    stripe_customer_id: str
    customer_name: str | None
    tag_value: str
    confidence: float | None


class Unmatched(Wire):
    """Reply of GET /api/margins/unmatched."""

    unmatched_stripe_customers: list[UnmatchedCustomer]
    unmapped_tag_values: list[UnmappedValue]
    pending_auto_matches: list[PendingMatch]
    customer_names: dict[str, str]
