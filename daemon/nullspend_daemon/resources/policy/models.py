"""The policy an agent reads: snake_case by contract."""

from pydantic import BaseModel


class PolicyBudget(BaseModel):
    """The tightest budget that surely matches the caller. Money in microdollars, never null."""

    remaining_microdollars: int
    max_microdollars: int
    spend_microdollars: int
    period_end: str | None
    entity_type: str
    entity_id: str
    finalization_reserve_microdollars: int
    policy: str


class CheapestOfProvider(BaseModel):
    """The cheapest allowed model of a provider; rates in USD per million tokens."""

    model: str
    input_per_mtok: float
    output_per_mtok: float


class Cheapest(CheapestOfProvider):
    """The cheapest allowed model of all."""

    provider: str


class Policy(BaseModel):
    """Reply of GET /api/policy."""

    budget: PolicyBudget | None
    allowed_models: list[str] | None
    allowed_providers: list[str] | None
    cheapest_per_provider: dict[str, CheapestOfProvider] | None
    cheapest_overall: Cheapest | None
    restrictions_active: bool
    session_limit_microdollars: int | None
