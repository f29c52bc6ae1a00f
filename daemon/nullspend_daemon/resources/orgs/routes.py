"""/api/orgs, /api/invite/accept"""

from nullspend_daemon.contract.ids import Kind
from nullspend_daemon.http.caller import org_member, session
from nullspend_daemon.http.route import Envelope, Route
from nullspend_daemon.http.wire import path_id, path_uuid
from nullspend_daemon.resources.orgs import deletion, invitations, members, service, upgrade_urls
from nullspend_daemon.resources.orgs.models import (
    Accepted,
    AcceptInvitation,
    ChangeRole,
    CreatedInvitation,
    CreateOrg,
    CustomerUpgradeUrl,
    InvitationList,
    Invite,
    MemberList,
    MemberRecord,
    OrgList,
    OrgRecord,
    OrgUpgradeUrl,
    SetUpgradeUrl,
    Success,
    Transfer,
    Transferred,
    UpdateOrg,
)

_ORG = "/api/orgs/{orgId}"
_MEMBER = {"userId": path_id(Kind.USER, bare=True, name="userId")}
_CUSTOMER = {"customerId": upgrade_urls.read_customer_id}

_ORGS = [
    Route(method="GET", path="/api/orgs", auth=session(), reply=OrgList, reads=service.list_orgs),
    Route(
        method="POST",
        path="/api/orgs",
        auth=session(),
        body=CreateOrg,
        reply=OrgRecord,
        writes=service.create_org,
        status=201,
        envelope=Envelope.DATA,
        errors=("conflict",),
    ),
    Route(
        method="GET",
        path=_ORG,
        auth=org_member("viewer"),
        reply=OrgRecord,
        reads=service.get_org,
        envelope=Envelope.DATA,
        errors=("not_found",),
    ),
    Route(
        method="PATCH",
        path=_ORG,
        auth=org_member("admin"),
        body=UpdateOrg,
        reply=OrgRecord,
        writes=service.update_org,
        envelope=Envelope.DATA,
        errors=("not_found", "conflict"),
    ),
    Route(
        method="DELETE",
        path=_ORG,
        auth=org_member("owner"),
        reply=Success,
        runs=deletion.delete,
        errors=("not_found",),
    ),
]

_MEMBERS = [
    Route(
        method="GET",
        path=f"{_ORG}/members",
        auth=org_member("viewer"),
        reply=MemberList,
        reads=members.list_members,
    ),
    Route(
        method="PATCH",
        path=f"{_ORG}/members/{{userId}}",
        auth=org_member("admin"),
        params=_MEMBER,
        before_body=members.refuse_self,
        body=ChangeRole,
        reply=MemberRecord,
        writes=members.change_role,
        envelope=Envelope.DATA,
        errors=("not_found",),
    ),
    Route(
        method="DELETE",
        path=f"{_ORG}/members/{{userId}}",
        auth=org_member("admin"),
        params=_MEMBER,
        before_body=members.refuse_self,
        reply=Success,
        writes=members.remove_member,
        errors=("not_found",),
    ),
    Route(method="POST", path=f"{_ORG}/leave", auth=org_member("viewer"), reply=Success, writes=members.leave),
    Route(
        method="POST",
        path=f"{_ORG}/transfer",
        auth=org_member("owner"),
        body=Transfer,
        reply=Transferred,
        writes=members.transfer,
        errors=("not_found",),
    ),
]

_INVITATIONS = [
    Route(
        method="GET",
        path=f"{_ORG}/invitations",
        auth=org_member("admin"),
        reply=InvitationList,
        reads=invitations.list_invitations,
    ),
    Route(
        method="POST",
        path=f"{_ORG}/invitations",
        auth=org_member("admin"),
        body=Invite,
        reply=CreatedInvitation,
        writes=invitations.invite,
        status=201,
        envelope=Envelope.DATA,
        errors=("conflict", "limit_exceeded"),
    ),
    Route(
        method="DELETE",
        path=f"{_ORG}/invitations/{{id}}",
        auth=org_member("admin"),
        params={"id": path_uuid()},
        reply=Success,
        writes=invitations.revoke_invitation,
        errors=("not_found", "conflict"),
    ),
    Route(
        method="POST",
        path="/api/invite/accept",
        auth=session(),
        attempts_per_minute=invitations.ATTEMPTS_PER_MINUTE,
        body=AcceptInvitation,
        reply=Accepted,
        writes=invitations.accept,
        errors=("not_found", "conflict", "forbidden", "expired", "rate_limited"),
    ),
]

_UPGRADE_URLS = [
    Route(
        method="GET",
        path=f"{_ORG}/upgrade-url",
        auth=org_member("viewer"),
        reply=OrgUpgradeUrl,
        reads=upgrade_urls.get_org_url,
        envelope=Envelope.DATA,
    ),
    Route(
        method="PATCH",
        path=f"{_ORG}/upgrade-url",
        auth=org_member("owner"),
        body=SetUpgradeUrl,
        reply=OrgUpgradeUrl,
        writes=upgrade_urls.set_org_url,
        envelope=Envelope.DATA,
    ),
    Route(
        method="GET",
        path=f"{_ORG}/customers/{{customerId}}/upgrade-url",
        auth=org_member("viewer"),
        params=_CUSTOMER,
        reply=CustomerUpgradeUrl,
        reads=upgrade_urls.get_customer_url,
        envelope=Envelope.DATA,
    ),
    Route(
        method="PATCH",
        path=f"{_ORG}/customers/{{customerId}}/upgrade-url",
        auth=org_member("owner"),
        params=_CUSTOMER,
        body=SetUpgradeUrl,
        reply=CustomerUpgradeUrl,
        writes=upgrade_urls.set_customer_url,
        envelope=Envelope.DATA,
    ),
]

ROUTES = [*_ORGS, *_MEMBERS, *_INVITATIONS, *_UPGRADE_URLS]
