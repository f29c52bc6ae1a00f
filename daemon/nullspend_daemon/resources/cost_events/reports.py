"""What analyses of cost events look like on the wire."""

from typing import Any

from nullspend_daemon.http.wire import Wire
from nullspend_daemon.resources.cost_events.models import CostEventRecord


class Listed(Wire):
    """A list of names."""

    data: list[str]


class SessionSums(Wire):
    """One session of the list."""

    session_id: str
    event_count: int
    total_cost_microdollars: int
    first_event_at: str
    last_event_at: str


class SessionPage(Wire):
    """Reply of GET /api/cost-events/sessions; the cursor is a plain time."""

    data: list[SessionSums]
    cursor: str | None


class SessionSummary(Wire):
    """What the listed events of a session add up to."""

    event_count: int
    total_cost_microdollars: int
    total_input_tokens: int
    total_output_tokens: int
    total_duration_ms: int
    started_at: str | None
    ended_at: str | None


class SessionReplay(Wire):
    """Reply of GET /api/cost-events/sessions/:sessionId."""

    session_id: str
    summary: SessionSummary
    events: list[CostEventRecord]


class DaySum(Wire):
    """One day of the summary."""

    date: str
    total_cost_microdollars: int


class ProviderSum(Wire):
    """One provider of the summary."""

    provider: str
    total_cost_microdollars: int
    request_count: int


class ModelSum(ProviderSum):
    """One model of the summary."""

    model: str
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int


class KeySum(Wire):
    """One key of the summary."""

    api_key_id: str
    key_name: str
    total_cost_microdollars: int
    request_count: int


class ToolSum(Wire):
    """One tool of the summary."""

    model: str
    total_cost_microdollars: int
    request_count: int
    avg_duration_ms: int


class SourceSum(Wire):
    """One source of the summary, or of a budget."""

    source: str
    total_cost_microdollars: int
    request_count: int


class TraceSum(Wire):
    """One trace of the summary."""

    trace_id: str
    total_cost_microdollars: int
    request_count: int


class Totals(Wire):
    """The whole of a period."""

    total_cost_microdollars: int
    total_requests: int
    period: str


class BreakdownSum(Wire):
    """The parts of all costs."""

    input_cost: int
    output_cost: int
    cached_cost: int
    reasoning_cost: int


class Summary(Wire):
    """Reply of GET /api/cost-events/summary."""

    daily: list[DaySum]
    models: list[ModelSum]
    providers: list[ProviderSum]
    totals: Totals
    keys: list[KeySum]
    tools: list[ToolSum]
    sources: list[SourceSum]
    traces: list[TraceSum]
    cost_breakdown: BreakdownSum


class AttributionGroup(Wire):
    """Who spent how much."""

    key: str
    key_id: str | None
    total_cost_microdollars: int
    request_count: int
    avg_cost_microdollars: int


class AttributionTotals(Wire):
    """The whole organization in the window."""

    total_cost_microdollars: int
    total_requests: int


class Attribution(Wire):
    """Reply of GET /api/cost-events/attribution."""

    groups: list[AttributionGroup]
    period: str
    group_by: str
    total_groups: int
    has_more: bool
    totals: AttributionTotals


class DayCount(Wire):
    """One day of a group."""

    date: str
    cost: int
    count: int


class ModelCount(Wire):
    """One model of a group."""

    model: str
    cost: int
    count: int


class AttributionDetail(Wire):
    """Reply of GET /api/cost-events/attribution/:key."""

    key: str
    total_cost_microdollars: int
    request_count: int
    avg_cost_microdollars: int
    daily: list[DayCount]
    models: list[ModelCount]


class Bodies(Wire):
    """Reply of GET /api/cost-events/:id/bodies."""

    request_body: Any
    response_body: Any
