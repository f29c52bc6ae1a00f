"""Actions on the wire."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from nullspend_daemon.http.wire import (
    Absent,
    ActionCursor,
    PageCursor,
    Query,
    Wire,
    sized,
    trimmed,
    whole,
    whole_text,
)
from nullspend_daemon.resources.actions.payloads import json_object
from nullspend_daemon.resources.cost_events.models import CostEventRecord

ActionType = Literal[
    "send_email",
    "http_post",
    "http_delete",
    "shell_command",
    "db_write",
    "file_write",
    "file_delete",
    "budget_increase",
]
Status = Literal["pending", "approved", "rejected", "expired", "executing", "executed", "failed"]
IdempotencyKey = Absent[Annotated[str, sized(1, 200)]]

DEFAULT_SECONDS = 3600
_MOST_SECONDS = 30 * 24 * 3600
_LARGEST_APPROVAL = 1_000_000_000_000


def _listed(text: Any) -> Any:
    """`pending,approved` as a list; a blank part is one that no status matches."""
    return [part.strip() for part in text.split(",")] if isinstance(text, str) else text


class ListActions(Query):
    """Query of GET /api/actions; `statuses` wins over `status`."""

    status: Status | None = None
    statuses: Annotated[list[Status], BeforeValidator(_listed, json_schema_input_type=str)] | None = None
    limit: Annotated[int, whole_text(1, 100)] = 50
    cursor: ActionCursor | None = None


class CreateAction(Wire):
    """Body of POST /api/actions."""

    agent_id: Annotated[str, trimmed(1, 255)]
    action_type: ActionType
    payload: Annotated[dict[str, Any], json_object(64_000)]
    metadata: Absent[Annotated[dict[str, Any], json_object(16_000)]] = None
    expires_in_seconds: Annotated[int, whole(0, _MOST_SECONDS)] | None = DEFAULT_SECONDS
    idempotency_key: IdempotencyKey = None


class ApproveAction(Wire):
    """Body of POST /api/actions/:id/approve; the amount counts for a budget_increase only."""

    approved_amount_microdollars: Absent[Annotated[int, whole(1, _LARGEST_APPROVAL)]] = None


class MarkResult(Wire):
    """Body of POST /api/actions/:id/result."""

    status: Literal["executing", "executed", "failed"]
    result: Absent[Annotated[dict[str, Any], json_object(64_000)]] = None
    error_message: Absent[Annotated[str, trimmed(1, 4000)]] = None
    idempotency_key: IdempotencyKey = None

    @field_validator("result")
    @classmethod
    def _result_of_an_end(cls, result: Any, info: ValidationInfo) -> Any:
        if info.data.get("status") == "executing":
            raise PydanticCustomError("result", "An action that is still executing has no result")
        return result

    @field_validator("error_message")
    @classmethod
    def _message_of_a_failure(cls, message: str, info: ValidationInfo) -> str:
        if info.data.get("status", "failed") != "failed":
            raise PydanticCustomError("error_message", "Only a failed action has an error message")
        return message

    @model_validator(mode="after")
    def _failure_says_why(self) -> "MarkResult":
        if self.status == "failed" and self.error_message is None:
            raise PydanticCustomError("error_message", "A failed action needs an errorMessage")
        return self


class ActionRecord(Wire):
    """An action in every reply."""

    id: str
    agent_id: str
    action_type: ActionType
    status: Status
    payload: dict[str, Any]
    metadata: dict[str, Any] | None
    created_at: str
    approved_at: str | None
    rejected_at: str | None
    executed_at: str | None
    expires_at: str | None
    expired_at: str | None
    approved_by: str | None
    rejected_by: str | None
    result: dict[str, Any] | None
    error_message: str | None
    environment: str | None
    source_framework: str | None


class ActionPage(Wire):
    """Reply of GET /api/actions."""

    data: list[ActionRecord]
    cursor: PageCursor | None


class Created(Wire):
    """Reply of POST /api/actions."""

    id: str
    status: Literal["pending"]
    expires_at: str | None


class BudgetIncrease(Wire):
    """What an approved budget_increase changed, in microdollars."""

    previous_limit: int
    new_limit: int
    amount: int
    requested_amount: int


class Approved(Wire):
    """Reply of POST /api/actions/:id/approve."""

    id: str
    status: Literal["approved"]
    approved_at: str
    budget_increase: Absent[BudgetIncrease] = None


class Rejected(Wire):
    """Reply of POST /api/actions/:id/reject."""

    id: str
    status: Literal["rejected"]
    rejected_at: str


class Marked(Wire):
    """Reply of POST /api/actions/:id/result."""

    id: str
    status: Literal["executing", "executed", "failed"]
    executed_at: str | None


class ActionCosts(Wire):
    """Reply of GET /api/actions/:id/costs."""

    data: list[CostEventRecord]
