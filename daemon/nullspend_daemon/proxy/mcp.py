"""What an MCP proxy asks: may this tool call go on, and what did the calls cost. Orgs 17."""

from dataclasses import replace
from decimal import Decimal
from math import isfinite
from typing import Annotated, Any, TypeVar
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints, ValidationError

from nullspend_daemon.contract.ids import InvalidId, Kind, parse_id, random_uuid
from nullspend_daemon.contract.money import MAX_MICRODOLLARS, round_half_up
from nullspend_daemon.errors import BudgetUnavailable, MalformedRequest, NullSpendError
from nullspend_daemon.http.parts import Parts
from nullspend_daemon.http.route import Record
from nullspend_daemon.http.wire import Wire
from nullspend_daemon.ledger.denials import Denied
from nullspend_daemon.ledger.events import NewEvent
from nullspend_daemon.ledger.holds import RESERVATION_MS, Approved, HoldRequest, hold
from nullspend_daemon.ledger.tool_calls import ToolCall, settle_tool_calls
from nullspend_daemon.proxy.context import Context
from nullspend_daemon.proxy.denials import refusal
from nullspend_daemon.store.action_ids import known_action
from nullspend_daemon.store.identity import KeyIdentity
from nullspend_daemon.store.transaction import Tx

W = TypeVar("W", bound=Wire)
PROVIDER = "mcp"
MOST_EVENTS = 50


def _amount(value: Any) -> int:
    """A JSON number that is finite and not negative, rounded half up to a whole one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value < 0:
        raise ValueError("must be a finite number, 0 or more")
    return min(round_half_up(Decimal(str(value))), MAX_MICRODOLLARS)


Amount = Annotated[int, BeforeValidator(_amount)]
Name = Annotated[str, StringConstraints(min_length=1)]


class CheckBudget(Wire):
    """Body of POST /v1/mcp/budget/check."""

    tool_name: Name
    server_name: Name
    estimate_microdollars: Amount


class ToolEvent(Wire):
    """One call of a tool."""

    tool_name: Name
    server_name: Name
    duration_ms: Amount
    cost_microdollars: Amount
    status: str
    reservation_id: str | None = None
    action_id: str | None = None


class ToolEvents(Wire):
    """Body of POST /v1/mcp/events."""

    events: Annotated[list[ToolEvent], Field(min_length=1, max_length=MOST_EVENTS)]


class McpCalls:
    """Answers an MCP proxy."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store

    async def check(self, key: KeyIdentity, context: Context, trace_id: str, raw: bytes) -> Record:
        """Reserve a tool call's estimate for 30 seconds. Raises CallDenied or BudgetUnavailable."""
        body = _read(CheckBudget, raw)
        wanted = HoldRequest(
            org_id=key.org_id,
            user_id=key.user_id,
            api_key_id=key.key_id,
            provider=PROVIDER,
            model=f"{body.server_name}/{body.tool_name}",
            tags=context.tags,
            customer=context.customer,
            session_id=context.session_id,
            estimate=body.estimate_microdollars,
            finalize=context.finalize,
        )
        try:
            answer = await self._store.write(lambda tx: hold(tx, _expiring(wanted, tx.now_ms)), durable=False)
        except NullSpendError as error:
            raise BudgetUnavailable() from error
        if isinstance(answer, Denied):
            raise refusal(answer)
        return {"allowed": True, "reservationId": _reservation(answer), "traceId": trace_id}

    async def report(self, key: KeyIdentity, context: Context, trace_id: str, raw: bytes) -> Record:
        """Store 1 to 50 tool calls and settle their reservations, in one transaction."""
        body = _read(ToolEvents, raw)
        await self._store.write(lambda tx: _settled(tx, key, context, trace_id, body.events))
        return {"accepted": len(body.events)}


def _settled(tx: Tx, key: KeyIdentity, context: Context, trace_id: str, items: list[ToolEvent]) -> None:
    calls: list[ToolCall] = []
    for item in items:
        event = _event(key, context, trace_id, item)
        event.action_id = known_action(tx, key.org_id, _action_id(item.action_id))
        calls.append(ToolCall(event, _bare_uuid(item.reservation_id)))
    settle_tool_calls(tx, key.org_id, calls)


def _expiring(wanted: HoldRequest, now_ms: int) -> HoldRequest:
    """The same request as a reservation that starts now."""
    return replace(wanted, expires_at=now_ms + RESERVATION_MS)


def _reservation(answer: Approved) -> str | None:
    return None if answer.status == "skipped" else answer.hold_id


def _bare_uuid(text: str | None) -> str | None:
    try:
        return None if text is None else str(UUID(text))
    except ValueError:
        return None


def _action_id(text: str | None) -> str | None:
    try:
        return None if text is None else parse_id(Kind.ACTION, text, bare=True)
    except InvalidId:
        return None


def _event(key: KeyIdentity, context: Context, trace_id: str, item: ToolEvent) -> NewEvent:
    return NewEvent(
        org_id=key.org_id,
        user_id=key.user_id,
        api_key_id=key.key_id,
        request_id=random_uuid(),
        provider=PROVIDER,
        model=f"{item.server_name}/{item.tool_name}",
        input_tokens=0,
        output_tokens=0,
        cost_microdollars=item.cost_microdollars,
        source=PROVIDER,
        event_type="tool",
        duration_ms=item.duration_ms,
        trace_id=trace_id,
        session_id=context.session_id,
        customer_id=context.customer,
        tags=context.tags,
        tool_name=item.tool_name,
        tool_server=item.server_name,
    )


def _read(model: type[W], raw: bytes) -> W:
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        issue = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in issue["loc"])
        raise MalformedRequest(f"{place or 'body'}: {issue['msg'].removeprefix('Value error, ')}") from None
