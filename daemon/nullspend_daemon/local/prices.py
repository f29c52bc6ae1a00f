"""GET /_local/prices and how a cost came about."""

from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json

from nullspend_daemon.contract.ids import Kind
from nullspend_daemon.errors import NotFound
from nullspend_daemon.http.caller import ADMIN
from nullspend_daemon.http.route import Call, Record, Route
from nullspend_daemon.http.wire import Query, Wire, path_id
from nullspend_daemon.ledger.rollups import ESTIMATED_TAG
from nullspend_daemon.pricing.catalogue import record
from nullspend_daemon.pricing.lines import Line, explanation, lines_of
from nullspend_daemon.store.transaction import Row, Tx

ROUNDING = "half_up"
"""The one rounding, of the sum and not of its lines."""


class PriceQuery(Query):
    """Query of GET /_local/prices."""

    q: str | None = None
    provider: str | None = None


class PriceTier(BaseModel):
    """The rates of calls with more than `above` input tokens; they stand beside it, as texts."""

    model_config = ConfigDict(extra="allow")
    above: int


class PriceRecord(Wire):
    """What a model costs. Rates in USD per million tokens, as texts, by token class."""

    provider: str
    model: str
    rates: dict[str, str]
    tiers: list[PriceTier]
    source: str
    context_window: int | None
    match: str | None = None


class PriceList(Wire):
    """Reply of GET /_local/prices."""

    data: list[PriceRecord]


class PriceReply(Wire):
    """Reply of GET /_local/prices/{provider}/{model}."""

    data: PriceRecord


class ExplainedLine(Wire):
    """One product of a cost. `tier` is the number of input tokens above which its rate applies; null is the base."""

    kind: str = Field(alias="class")
    tokens: int
    rate_usd_per_million: str
    tier: int | None
    microdollars: float


class Explained(Wire):
    """How the cost of an event came about. Its lines are exact; their sum, times the margin, is rounded once."""

    lines: list[ExplainedLine]
    rounding: str
    source: str
    margin: str | None
    cost_microdollars: int


class ExplainedReply(Wire):
    """Reply of GET /_local/cost-events/{id}/explain."""

    data: Explained


async def list_prices(call: Call[None, PriceQuery]) -> Record:
    """List what models cost."""
    catalogue, query = call.parts.catalogue, call.query

    def read() -> Record:
        catalogue.refresh()
        return {"data": catalogue.records(query.q, query.provider)}

    return await call.parts.in_thread(read)


async def get_price(call: Call[None, None]) -> Record:
    """Show what one model costs."""
    catalogue, provider, model = call.parts.catalogue, call.params["provider"], call.params["model"]

    def read() -> Record:
        catalogue.refresh()
        price = catalogue.price(provider, model)
        if price is None:
            raise NotFound(f"No price of {provider}/{model} is known.")
        return {"data": record(price)}

    return await call.parts.in_thread(read)


def explain(tx: Tx, call: Call[None, None]) -> Record:
    """Show the arithmetic of one event's cost."""
    event = tx.one("SELECT * FROM cost_events WHERE id = ?", (call.params["id"],))
    if event is None:
        raise NotFound("There is no such cost event.")
    kept = _kept(event)
    return {
        "data": {
            "lines": [_line(line) for line in lines_of(kept)],
            "rounding": ROUNDING,
            "source": kept["source"],
            "margin": kept.get("margin"),
            "costMicrodollars": event["cost_microdollars"],
        }
    }


def _kept(event: Row) -> dict[str, Any]:
    """What was kept of the arithmetic. Nothing was: an estimate where the event says so, else the client's figure."""
    if event["explanation"] is not None:
        return from_json(event["explanation"])
    return explanation("estimate" if from_json(event["tags"]).get(ESTIMATED_TAG) == "true" else "client")


def _line(line: Line) -> Record:
    return {
        "class": line.kind,
        "tokens": line.tokens,
        "rateUsdPerMillion": str(line.rate),
        "tier": line.above,
        "microdollars": _exact(line.amount),
    }


def _exact(amount: Decimal) -> int | float:
    """A JSON number that reads as the decimal does; beyond 15 digits, the nearest one."""
    return int(amount) if amount == int(amount) else float(amount)


ROUTES = [
    Route(method="GET", path="/_local/prices", auth=ADMIN, query=PriceQuery, reply=PriceList, runs=list_prices),
    Route(
        method="GET",
        path="/_local/prices/{provider}/{model}",
        auth=ADMIN,
        params={"provider": str, "model": str},
        reply=PriceReply,
        runs=get_price,
        errors=("not_found",),
    ),
    Route(
        method="GET",
        path="/_local/cost-events/{id}/explain",
        auth=ADMIN,
        params={"id": path_id(Kind.COST_EVENT)},
        reply=ExplainedReply,
        reads=explain,
        errors=("not_found",),
    ),
]
