"""Budgets on the wire."""

import re
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from nullspend_daemon.contract.ids import InvalidId, Kind, parse_id
from nullspend_daemon.http.wire import Absent, Microdollars, PositiveMicrodollars, Wire, whole

EntityType = Literal["user", "api_key", "tag", "customer"]
Policy = Literal["strict_block", "soft_block", "warn"]
Interval = Literal["daily", "weekly", "monthly", "yearly"]
Seconds = Annotated[int, whole(10, 3600)]
Percent = Annotated[int, whole(1, 100)]

DEFAULT_THRESHOLDS = (50, 80, 90, 95)
DEFAULT_SECONDS = 60
_TAG = re.compile(r"[a-zA-Z0-9_-]+=.+", re.DOTALL)


def _entity_id(entity_type: EntityType, text: str) -> str:
    """The canonical entity id. Raises InvalidId with the rule that is broken."""
    if entity_type == "user":
        return parse_id(Kind.USER, text)
    if entity_type == "api_key":
        return parse_id(Kind.KEY, text)
    if entity_type == "customer":
        if not 1 <= len(text) <= 256:
            raise InvalidId("A customer id has 1 to 256 characters")
        return text
    if len(text) > 321 or _TAG.fullmatch(text) is None:
        raise InvalidId("A tag is key=value: the key of letters, digits, _ and -, the value not empty, 321 at most")
    if text.startswith("_ns_"):
        raise InvalidId("Tag keys starting with _ns_ are reserved")
    return text


class SetBudget(Wire):
    """Body of POST /api/budgets: creates or updates the budget of one entity."""

    entity_type: EntityType
    entity_id: str
    max_budget_microdollars: PositiveMicrodollars
    policy: Absent[Policy] = None
    reset_interval: Interval | None = None
    threshold_percentages: Absent[Annotated[list[Percent], Field(max_length=10)]] = None
    velocity_limit_microdollars: PositiveMicrodollars | None = None
    velocity_window_seconds: Absent[Seconds] = None
    velocity_cooldown_seconds: Absent[Seconds] = None
    session_limit_microdollars: PositiveMicrodollars | None = None
    finalization_reserve_microdollars: Absent[Microdollars] = None

    @field_validator("entity_id")
    @classmethod
    def _check_entity_id(cls, text: str, info: ValidationInfo) -> str:
        entity_type = info.data.get("entity_type")
        try:
            return text if entity_type is None else _entity_id(entity_type, text)
        except InvalidId as error:
            raise PydanticCustomError("entity_id", "{reason}", {"reason": str(error)}) from None

    @field_validator("threshold_percentages")
    @classmethod
    def _check_thresholds(cls, percents: list[int] | None) -> list[int] | None:
        percents = percents or []
        if any(low >= high for low, high in pairwise(percents)):
            raise PydanticCustomError("thresholds", "Percentages must be strictly ascending")
        return percents


class BudgetRecord(Wire):
    """A budget in every reply."""

    id: str
    entity_type: EntityType
    entity_id: str
    max_budget_microdollars: int
    spend_microdollars: int
    policy: Policy
    reset_interval: Interval | None
    current_period_start: str | None
    threshold_percentages: list[int]
    velocity_limit_microdollars: int | None
    velocity_window_seconds: int
    velocity_cooldown_seconds: int
    session_limit_microdollars: int | None
    finalization_reserve_microdollars: int
    created_at: str
    updated_at: str


class BudgetList(Wire):
    """Reply of GET /api/budgets."""

    data: list[BudgetRecord]


class Deleted(Wire):
    """Reply of DELETE /api/budgets/:id."""

    deleted: Literal[True]


class EntityStatus(Wire):
    """One budget of GET /api/budgets/status."""

    entity_type: EntityType
    entity_id: str
    limit_microdollars: int
    spend_microdollars: int
    remaining_microdollars: int
    policy: Policy
    reset_interval: Interval | None
    current_period_start: str | None
    threshold_percentages: list[int]
    velocity_limit_microdollars: int | None
    velocity_window_seconds: int
    velocity_cooldown_seconds: int
    session_limit_microdollars: int | None
    finalization_reserve_microdollars: int


class BudgetStatus(Wire):
    """Reply of GET /api/budgets/status."""

    entities: list[EntityStatus]


class VelocityState(BaseModel):
    """How fast one budget is being spent; snake_case by contract. Times in epoch ms."""

    entity_key: str
    window_size_ms: int
    window_start_ms: int
    current_count: int
    current_spend: int
    prev_count: int
    prev_spend: int
    tripped_at: int | None


class VelocityStatus(Wire):
    """Reply of GET /api/budgets/velocity-status."""

    velocity_state: list[VelocityState]


class BudgetSource(Wire):
    """What one source has spent of a budget."""

    source: str
    total_cost_microdollars: int
    request_count: int


class BudgetSources(Wire):
    """Reply of GET /api/budgets/:id/sources."""

    data: list[BudgetSource]
