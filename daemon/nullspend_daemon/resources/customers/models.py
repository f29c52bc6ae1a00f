"""Connections, syncs and mappings on the wire."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, RootModel, StringConstraints

from nullspend_daemon.contract.ids import parse_uuid
from nullspend_daemon.http.wire import Query, Wire

Text = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
"""What a mapping names: 1 to 255 characters, none of them a control character."""


class Connect(Wire):
    """Body of POST /api/stripe/connect: a restricted key of the organization's own account."""

    stripe_key: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class ConnectionRecord(Wire):
    """A connection."""

    id: str
    key_prefix: str
    status: Literal["active", "error", "revoked"]
    last_sync_at: str | None
    last_error: str | None
    created_at: str


class ConnectionReply(Wire):
    """The connection, or null when there is none."""

    data: ConnectionRecord | None


class Connected(Wire):
    """A connection just made."""

    id: str
    key_prefix: str
    status: Literal["active"]
    created_at: str


class Deleted(Wire):
    """It is gone."""

    deleted: Literal[True]


class SyncResult(Wire):
    """What one sync did; `error` says why it stopped."""

    org_id: str
    customers_processed: int
    periods_updated: int
    auto_matches_created: int
    invoices_fetched: int
    invoices_skipped: int
    skipped_currencies: dict[str, int]
    duration_ms: int
    error: str | None = None


class SyncedAll(Wire):
    """What the sync of every organization did."""

    synced: int
    errors: int


class Synced(RootModel[SyncResult | SyncedAll]):
    """Reply of GET /api/stripe/revenue-sync: of one organization, or of all for the cron secret."""


class SetMapping(Wire):
    """Body of POST /api/customer-mappings. Any `matchType` but `auto` is `manual`."""

    stripe_customer_id: Text
    tag_value: Text
    tag_key: Text = "customer"
    match_type: Any = "manual"


class MappingRecord(Wire):
    """A mapping."""

    id: str
    org_id: str
    stripe_customer_id: str
    tag_key: str
    tag_value: str
    match_type: Literal["auto", "manual"]
    confidence: float | None
    created_at: str


class MappingList(Wire):
    """Reply of GET /api/customer-mappings."""

    data: list[MappingRecord]


def _uuid(text: object) -> str:
    return parse_uuid(str(text))


class DeleteMapping(Query):
    """Query of DELETE /api/customer-mappings."""

    id: Annotated[str, BeforeValidator(_uuid, json_schema_input_type=str)]
