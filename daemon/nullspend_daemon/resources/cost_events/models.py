"""Cost events on the wire."""

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, StringConstraints, field_validator, model_validator

from nullspend_daemon.contract.ids import Kind
from nullspend_daemon.contract.money import MAX_MICRODOLLARS
from nullspend_daemon.http.wire import (
    Absent,
    CostEventCursor,
    Count,
    Microdollars,
    Moment,
    PageCursor,
    Query,
    Tags,
    Wire,
    id_field,
    sized,
    whole,
    whole_text,
)

Source = Literal["proxy", "api", "mcp", "sdk"]
EventType = Literal["llm", "tool", "custom"]
BudgetStatus = Literal["skipped", "approved", "denied"]
TraceId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Signed = Annotated[int, whole(-MAX_MICRODOLLARS, MAX_MICRODOLLARS)]


class CostBreakdown(Wire):
    """Parts of a cost in microdollars; a rounding residue may be negative."""

    input: Signed
    output: Signed
    cached: Signed
    reasoning: Absent[Signed] = None


class ReportCost(Wire):
    """Body of POST /api/cost-events, and each item of a batch."""

    provider: Annotated[str, sized(1, 100)]
    model: Annotated[str, sized(1, 200)]
    input_tokens: Count
    output_tokens: Count
    cost_microdollars: Microdollars
    cached_input_tokens: Count = 0
    reasoning_tokens: Count = 0
    duration_ms: Absent[Count] = None
    session_id: Absent[Annotated[str, sized(0, 200)]] = None
    trace_id: Absent[TraceId] = None
    event_type: EventType = "custom"
    tool_name: Absent[Annotated[str, sized(0, 200)]] = None
    tool_server: Absent[Annotated[str, sized(0, 200)]] = None
    cost_breakdown: Absent[CostBreakdown] = None
    tags: Tags = Field(default_factory=dict[str, str])
    customer: Absent[Annotated[str, sized(1, 256)]] = None
    idempotency_key: Absent[Annotated[str, sized(0, 200)]] = None
    source: Any = None


class ReportBatch(Wire):
    """Body of POST /api/cost-events/batch."""

    events: Annotated[list[ReportCost], Field(min_length=1, max_length=100)]


class Stored(Wire):
    """Reply of POST /api/cost-events."""

    id: str
    created_at: str


class StoredBatch(Wire):
    """Reply of POST /api/cost-events/batch: only what was new, in input order."""

    inserted: int
    ids: list[str]


class EventFilters(Query):
    """The filters that lists and exports share."""

    session_id: Annotated[str, sized(1, 256)] | None = None
    api_key_id: Annotated[str, id_field(Kind.KEY)] | None = None
    model: str | None = None
    provider: str | None = None
    source: Source | None = None
    trace_id: TraceId | None = None
    tags: dict[str, str] = Field(default_factory=dict[str, str])

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Blank filters are absent ones; `tag.<key>=<value>` parameters become one map."""
        keeps_blank = ("limit", "cursor", "source", "budgetStatus")
        kept = {name: text for name, text in given.items() if text != "" or name in keeps_blank}
        kept["tags"] = {name[4:]: text for name, text in given.items() if name.startswith("tag.") and len(name) > 4}
        return kept


class ListCostEvents(EventFilters):
    """Query of GET /api/cost-events."""

    request_id: Annotated[str, sized(1, 200)] | None = None
    budget_status: BudgetStatus | None = None
    customer_id: str | None = None
    created_after: Moment | None = None
    created_before: Moment | None = None
    limit: Annotated[int, whole_text(1, 100)] = 25
    cursor: CostEventCursor | None = None


class ExportQuery(EventFilters):
    """Query of GET /api/cost-events/export: a key's id with or without prefix, an unknown source is no filter."""

    api_key_id: Annotated[str, id_field(Kind.KEY, bare=True)] | None = None

    @field_validator("source", mode="before")
    @classmethod
    def _known_source(cls, source: Any) -> Any:
        return source if source in get_args(Source) else None


class CostEventRecord(Wire):
    """A cost event in every reply."""

    id: str
    request_id: str
    api_key_id: str | None
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int
    cost_microdollars: int
    duration_ms: int | None
    created_at: str
    source: Source
    trace_id: str | None
    session_id: str | None
    tags: dict[str, str]
    customer_id: str | None
    key_name: str | None
    budget_status: BudgetStatus | None
    stop_reason: str | None
    estimated_cost_microdollars: int | None
    cost_breakdown: dict[str, int] | None
    event_type: EventType
    tool_name: str | None


class CostEventPage(Wire):
    """Reply of GET /api/cost-events."""

    data: list[CostEventRecord]
    cursor: PageCursor | None
