"""Organizations on the wire."""

from typing import Annotated, Literal

from pydantic import StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from nullspend_daemon.contract.ids import Kind
from nullspend_daemon.http.wire import Absent, Email, Wire, id_field, trimmed
from nullspend_daemon.resources.orgs.upgrade_url_rules import UpgradeUrl

Assignable = Literal["admin", "member", "viewer"]
"""What an invitation or a role change may give; an owner is made by a transfer only."""
Role = Literal["viewer", "member", "admin", "owner"]
Name = Annotated[str, trimmed(1, 50)]
Slug = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=3, max_length=50, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
]


class CreateOrg(Wire):
    """Body of POST /api/orgs."""

    name: Name
    slug: Slug


class UpdateOrg(Wire):
    """Body of PATCH /api/orgs/:orgId; what is left out stays."""

    name: Absent[Name] = None
    slug: Absent[Slug] = None

    @model_validator(mode="after")
    def _check(self) -> "UpdateOrg":
        if not self.model_fields_set:
            raise PydanticCustomError("empty", "At least one of name and slug is required.")
        return self


class OrgRecord(Wire):
    """An organization."""

    id: str
    name: str
    slug: str
    is_personal: bool
    created_at: str
    updated_at: str


class OrgOfMine(OrgRecord):
    """An organization in the caller's list."""

    role: Role


class OrgList(Wire):
    """Reply of GET /api/orgs."""

    data: list[OrgOfMine]


class MemberRecord(Wire):
    """A member after a role change."""

    user_id: str
    role: Role
    created_at: str


class MemberWithEmail(MemberRecord):
    """A member in the list."""

    email: str | None


class MemberList(Wire):
    """Reply of GET /api/orgs/:orgId/members."""

    data: list[MemberWithEmail]


class ChangeRole(Wire):
    """Body of PATCH /api/orgs/:orgId/members/:userId."""

    role: Assignable


class Transfer(Wire):
    """Body of POST /api/orgs/:orgId/transfer; the person's id with or without its prefix."""

    new_owner_user_id: Annotated[str, id_field(Kind.USER, bare=True)]


class Transferred(Wire):
    """Reply of POST /api/orgs/:orgId/transfer."""

    success: Literal[True]
    new_owner_user_id: str


class Invite(Wire):
    """Body of POST /api/orgs/:orgId/invitations."""

    email: Email
    role: Assignable


class InvitationRecord(Wire):
    """An invitation in the list."""

    id: str
    email: str
    role: Assignable
    status: Literal["pending", "accepted", "declined", "revoked", "expired"]
    invited_by: str
    token_prefix: str
    expires_at: str
    created_at: str


class CreatedInvitation(InvitationRecord):
    """The one reply that shows an invitation's token."""

    token: str


class InvitationList(Wire):
    """Reply of GET /api/orgs/:orgId/invitations."""

    data: list[InvitationRecord]


class AcceptInvitation(Wire):
    """Body of POST /api/invite/accept."""

    token: Annotated[str, StringConstraints(min_length=1)]


class Accepted(Wire):
    """Reply of POST /api/invite/accept."""

    org_id: str
    role: Assignable
    redirect_url: Literal["/app"]


class SetUpgradeUrl(Wire):
    """Body of PATCH of both upgrade-url paths; null clears."""

    upgrade_url: UpgradeUrl | None


class OrgUpgradeUrl(Wire):
    """Where a denied caller may buy more."""

    upgrade_url: str | None


class CustomerUpgradeUrl(Wire):
    """Where one customer may buy more."""

    customer_id: str
    upgrade_url: str | None


class Success(Wire):
    """It is done."""

    success: Literal[True]
