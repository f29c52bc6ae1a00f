"""The declaration of one endpoint: serving, the OpenAPI document and the permission tests all read this."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel

from nullspend_daemon.http.caller import Auth, Caller
from nullspend_daemon.settings import Settings
from nullspend_daemon.store.identity import Role, require_role, role_in
from nullspend_daemon.store.transaction import Tx

# Parts hold a running server: a service that is given a Call must not have to load one.
if TYPE_CHECKING:
    from nullspend_daemon.http.parts import Parts

B = TypeVar("B")
Q = TypeVar("Q")
Record = dict[str, Any]


class Envelope(StrEnum):
    """How a handler's record stands in the reply: D{...}, RAW{...} or DUAL{...} of the contract."""

    RAW = "raw"
    DATA = "data"
    DUAL = "dual"

    def wrap(self, record: Any) -> Any:
        """The reply's JSON value."""
        if self is Envelope.RAW:
            return record
        return {"data": record} if self is Envelope.DATA else {**record, "data": record}


@dataclass(slots=True)
class Call(Generic[B, Q]):
    """One request as a handler sees it: who, where, and typed input. No HTTP."""

    caller: Caller
    body: B
    query: Q
    params: Mapping[str, str]
    headers: Mapping[str, str]
    parts: "Parts"
    idempotency_key: str | None = None
    raw_body: bytes = b""
    """The body as it came, on routes that ask for it."""
    role_needed: Role = "viewer"
    active_org: tuple[str, Role] | None = None
    """Set by a handler to make the reply carry a new active-org cookie."""
    clears_active_org: bool = False
    """Set by a handler to make the reply delete the active-org cookie."""

    @property
    def settings(self) -> Settings:
        """What this run of the daemon was told."""
        return self.parts.settings

    def confirm(self, tx: Tx) -> None:
        """Read the role of a session again, as `tx` sees it. Raises Forbidden when it no longer suffices.

        Between the check at the door and the change itself another change may have been committed: of a removal and
        whatever the removed person was about to do, one is first.
        """
        if self.caller.role is not None:
            role = require_role(role_in(tx, self.caller.org_id, self.caller.user_id), self.role_needed)
            self.caller = replace(self.caller, role=role)


@dataclass(frozen=True, slots=True)
class Reply:
    """A handler's answer when its status or a header is not the route's own."""

    status: int
    record: Record
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """On top of the common ones."""


@dataclass(frozen=True, slots=True)
class Document:
    """A handler's answer that is no JSON: a file, a page, a redirect. `headers` come on top of the common ones."""

    body: bytes
    content_type: str
    headers: Mapping[str, str]
    status: int | None = None
    """None is the route's own."""


Answer = Record | Reply | Document
AnyCall = Call[Any, Any]
Handler = Callable[[Tx, Any], Answer]
AsyncHandler = Callable[[Any], Awaitable[Answer]]
StreamHandler = Callable[[Any], AsyncGenerator[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One endpoint. Exactly one of `reads`, `writes`, `runs`, `streams` is given; each names the handler.

    `reads` runs on a snapshot, `writes` in one transaction that is on disk before the reply (unless `durable` is
    False), `runs` is a coroutine for what is no single transaction. `streams` yields the body piece by piece for as
    long as the client listens; what it raises before the first piece is an ordinary error, and it is ended when the
    daemon stops. `errors` are codes beyond those every route has.
    """

    method: str
    path: str
    auth: Auth
    reply: type[BaseModel]
    reads: Handler | None = None
    writes: Handler | None = None
    runs: AsyncHandler | None = None
    streams: StreamHandler | None = None
    body: type[BaseModel] | None = None
    body_optional: bool = False
    takes_raw_body: bool = False
    """The handler reads `raw_body` itself: a form, or bytes that are signed."""
    before_body: Callable[[AnyCall], None] | None = None
    """A rule that counts before the body is even read; the call it gets has none yet."""
    attempts_per_minute: int | None = None
    """How often an address may try, counted before anything of the request is read; then 429 `rate_limited`."""
    query: type[BaseModel] | None = None
    params: Mapping[str, Callable[[str], str]] = field(default_factory=dict[str, Callable[[str], str]])
    status: int = 200
    envelope: Envelope = Envelope.RAW
    durable: bool = True
    idempotent: bool = False
    key_in_body: bool = False
    """The body's `idempotencyKey` counts where the header is absent."""
    document_type: str | None = None
    """The content type of the Document it may answer with, or of the stream."""
    errors: tuple[str, ...] = ()
    also_statuses: tuple[int, ...] = ()
    about: str = ""
    """The summary of a route that is only described here and served elsewhere."""

    @property
    def handler(self) -> Callable[..., Any]:
        """The function behind the route."""
        found = self.reads or self.writes or self.runs or self.streams
        if found is None:
            raise TypeError(f"{self.method} {self.path} has no handler")
        return found

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring, or what the route says about itself."""
        return self.about or (self.handler.__doc__ or "").strip().splitlines()[0]
