"""The local control plane on the wire: local.md's shapes."""

from typing import Annotated, Literal

from pydantic import ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from nullspend_daemon.contract.ids import Kind
from nullspend_daemon.http.wire import Absent, Count, Email, Moment, Query, Wire, id_field, sized, trimmed

UserId = Annotated[str, id_field(Kind.USER)]
OrgId = Annotated[str, id_field(Kind.ORG)]


class Counts(Wire):
    """How much there is."""

    users: int
    orgs: int
    keys: int
    budgets: int
    cost_events: int
    pending_deliveries: int


class Info(Wire):
    """Reply of GET /_local/info; the second half needs the admin token."""

    version: str
    api_version: str
    started_at: str
    now: str
    hosted: bool
    test_clock: bool
    extensions: list[str]
    pid: int | None = None
    data_dir: str | None = None
    database_bytes: int | None = None
    wal_bytes: int | None = None
    counts: Counts | None = None


class CreateUser(Wire):
    """Body of POST /_local/users."""

    email: Email
    name: Absent[Annotated[str, trimmed(1, 100)]] = None


class CreatedUser(Wire):
    """A person just added."""

    user_id: str
    email: str
    name: str | None = None


class UserRecord(CreatedUser):
    """A person in the list."""

    created_at: str


class UserList(Wire):
    """Reply of GET /_local/users."""

    data: list[UserRecord]


class CreateSession(Wire):
    """Body of POST /_local/sessions: a person by id or by email."""

    user_id: Absent[UserId] = None
    email: Absent[Email] = None
    org_id: Absent[OrgId] = None

    @model_validator(mode="after")
    def _one_person(self) -> "CreateSession":
        if (self.user_id is None) == (self.email is None):
            raise PydanticCustomError("person", "Give exactly one of userId and email")
        return self


class CreatedSession(Wire):
    """A session, with the ready Cookie header value."""

    user_id: str
    org_id: str
    role: Literal["viewer", "member", "admin", "owner"]
    cookie: str
    expires_at: str


class RevokeSessions(Query):
    """Query of DELETE /_local/sessions."""

    user_id: UserId | None = None


class Revoked(Wire):
    """How many sessions ended."""

    revoked: int


class Reset(Wire):
    """Body of POST /_local/reset."""

    keep_owner: bool = True


class Success(Wire):
    """It is done."""

    success: Literal[True]


class SetPlan(Wire):
    """Body of POST /_local/plan; a null tier removes the subscription."""

    tier: Literal["free", "pro", "enterprise"] | None
    status: Annotated[str, sized(1, 50)] = "active"
    org_id: Absent[OrgId] = None


class MoveClock(Wire):
    """Body of POST /_local/clock: a step or a moment, both forward."""

    advance_ms: Absent[Count] = None
    set_to: Absent[Moment] = None

    @model_validator(mode="after")
    def _one_move(self) -> "MoveClock":
        if (self.advance_ms is None) == (self.set_to is None):
            raise PydanticCustomError("move", "Give exactly one of advanceMs and setTo")
        return self


class Now(Wire):
    """The daemon's time."""

    now: str


class Backup(Wire):
    """Body of POST /_local/backup."""

    path: Annotated[str, sized(1, 4096)]


class BackedUp(Wire):
    """Where the copy is and how large."""

    path: str
    bytes: int


class Check(Wire):
    """Body of POST /_local/check."""

    repair: bool = False


class Checked(Wire):
    """What a check found: one sentence a difference."""

    ok: bool
    differences: list[str]


class HeldOfBudget(Wire):
    """What live holds reserve of one budget."""

    entity_type: Literal["user", "api_key", "tag", "customer"]
    entity_id: str
    reserved_microdollars: int
    holds: int
    org_id: str


class HoldList(Wire):
    """Reply of GET /_local/holds."""

    data: list[HeldOfBudget]


class AnyObject(Wire):
    """A JSON object whose keys are described elsewhere."""

    model_config = ConfigDict(extra="allow")
