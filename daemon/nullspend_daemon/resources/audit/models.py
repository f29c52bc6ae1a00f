"""The audit log on the wire."""

from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints

from nullspend_daemon.http.wire import PageCursor, Query, Wire, cursor_field, whole_text
from nullspend_daemon.store.pages import Cursor

DEFAULT_LIMIT = 50


def _blank_is_default(given: Any) -> Any:
    """The one list where an empty `limit` is the default and no error."""
    return DEFAULT_LIMIT if isinstance(given, str) and not given.strip() else given


class ListAudit(Query):
    """Query of GET /api/audit-log."""

    limit: Annotated[int, whole_text(1, 100), BeforeValidator(_blank_is_default)] = DEFAULT_LIMIT
    cursor: Annotated[Cursor, cursor_field(None)] | None = None
    action: Annotated[str, StringConstraints(min_length=1)] | None = None


class AuditRecord(Wire):
    """One administrative change."""

    id: str
    actor_id: str
    action: str
    resource_type: str
    resource_id: str | None
    metadata: dict[str, Any] | None
    created_at: str


class AuditPage(Wire):
    """Reply of GET /api/audit-log."""

    data: list[AuditRecord]
    cursor: PageCursor | None
