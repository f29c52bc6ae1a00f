"""Invitations: a one-time token for one email address, good for seven days."""

import secrets

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.contract.ids import new_uuid
from nullspend_daemon.errors import Conflict, Expired, Forbidden, NotFound, ValidationFailed
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.resources.orgs.models import AcceptInvitation, Invite
from nullspend_daemon.resources.orgs.service import find_team
from nullspend_daemon.store import audit, identity
from nullspend_daemon.store.plans import check_count, plan_of
from nullspend_daemon.store.transaction import Row, Tx

VALID_MS = 7 * 24 * 3_600_000
PREFIX_LENGTH = 15
ATTEMPTS_PER_MINUTE = 10
_FREE_ROLE = "viewer"


def list_invitations(tx: Tx, call: Call[None, None]) -> Record:
    """List the open invitations of an organization, oldest first."""
    rows = tx.all(
        "SELECT * FROM invitations WHERE org_id = ? AND status = 'pending' AND expires_at > ? ORDER BY created_at, id",
        (call.caller.org_id, tx.now_ms),
    )
    return {"data": [_record(row) for row in rows]}


def invite(tx: Tx, call: Call[Invite, None]) -> Record:
    """Invite somebody by email; the token is shown in this reply only."""
    caller, body = call.caller, call.body
    find_team(tx, caller.org_id, "shared")
    if body.email == _email_of(tx, caller.user_id):
        raise ValidationFailed.at(["email"], "You are a member already")
    _expire_lapsed(tx, caller.org_id)
    if tx.one(
        "SELECT 1 FROM invitations WHERE org_id = ? AND email = ? AND status = 'pending'", (caller.org_id, body.email)
    ):
        raise Conflict(f"{body.email} is invited already. Revoke that invitation to send a new one.")
    if body.role != _FREE_ROLE:
        plan = plan_of(tx, caller.org_id, hosted=call.settings.hosted)
        check_count(_seats_used(tx, caller.org_id), plan.seats, "seats", plan)
    token = f"ns_inv_{secrets.token_hex(24)}"
    invitation_id = new_uuid(tx.now_ms)
    tx.execute(
        "INSERT INTO invitations (id, org_id, email, role, status, invited_by, token_hash, token_prefix, expires_at,"
        " created_at) VALUES (?, ?, ?, ?, 'pending', ?, ?, ?, ?, ?)",
        (
            invitation_id,
            caller.org_id,
            body.email,
            body.role,
            caller.user_id,
            identity.digest(token),
            token[:PREFIX_LENGTH],
            tx.now_ms + VALID_MS,
            tx.now_ms,
        ),
    )
    metadata = {"email": body.email, "role": body.role}
    audit.record_of(tx, caller, "invitation.created", ("invitation", invitation_id), metadata)
    return _record(_find(tx, caller.org_id, invitation_id)) | {"token": token}


def revoke_invitation(tx: Tx, call: Call[None, None]) -> Record:
    """Revoke an open invitation; its token stops working."""
    caller, invitation_id = call.caller, call.params["id"]
    row = _find(tx, caller.org_id, invitation_id)
    status = "expired" if row["status"] == "pending" and row["expires_at"] <= tx.now_ms else row["status"]
    if status != "pending":
        raise Conflict(f"This invitation is {status} already.")
    tx.execute("UPDATE invitations SET status = 'revoked', revoked_at = ? WHERE id = ?", (tx.now_ms, invitation_id))
    audit.record_of(tx, caller, "invitation.revoked", ("invitation", invitation_id))
    return {"success": True}


def accept(tx: Tx, call: Call[AcceptInvitation, None]) -> Record:
    """Join an organization with an invitation's token; it becomes the active one."""
    user_id = call.caller.user_id
    row = tx.one("SELECT * FROM invitations WHERE token_hash = ?", (identity.digest(call.body.token),))
    if row is None:
        raise NotFound("There is no such invitation. Ask for a new one.")
    if row["status"] != "pending":
        raise Conflict(f"This invitation is {row['status']} already.")
    if row["email"] != _email_of(tx, user_id):
        raise Forbidden("This invitation is for another email address.")
    if row["expires_at"] <= tx.now_ms:
        tx.execute("UPDATE invitations SET status = 'expired' WHERE id = ?", (row["id"],))
        raise Expired("This invitation has expired. Ask for a new one.")
    org_id, role = row["org_id"], row["role"]
    if identity.role_in(tx, org_id, user_id) is not None:
        raise Conflict("You are a member of this organization already.")
    _join(tx, row, user_id)
    audit.record(
        tx,
        org_id=org_id,
        actor_id=user_id,
        action="invitation.accepted",
        resource=("invitation", row["id"]),
    )
    call.active_org = (org_id, role)
    return {"orgId": org_id, "role": role, "redirectUrl": "/app"}


def _join(tx: Tx, invitation: Row, user_id: str) -> None:
    tx.execute(
        "INSERT INTO memberships (org_id, user_id, role, created_at) VALUES (?, ?, ?, ?)",
        (invitation["org_id"], user_id, invitation["role"], tx.now_ms),
    )
    tx.execute(
        "UPDATE invitations SET status = 'accepted', accepted_by = ?, accepted_at = ? WHERE id = ?",
        (user_id, tx.now_ms, invitation["id"]),
    )
    tx.notify(identity.TOPIC)


def _expire_lapsed(tx: Tx, org_id: str) -> None:
    """An invitation past its end holds no seat and stands in nobody's way."""
    tx.execute(
        "UPDATE invitations SET status = 'expired' WHERE org_id = ? AND status = 'pending' AND expires_at <= ?",
        (org_id, tx.now_ms),
    )


def _seats_used(tx: Tx, org_id: str) -> int:
    """Members and open invitations, viewers left out."""
    return tx.value(
        "SELECT (SELECT count(*) FROM memberships WHERE org_id = ?1 AND role <> ?2)"
        " + (SELECT count(*) FROM invitations WHERE org_id = ?1 AND status = 'pending' AND role <> ?2)",
        (org_id, _FREE_ROLE),
    )


def _email_of(tx: Tx, user_id: str) -> str | None:
    return tx.value("SELECT email FROM users WHERE id = ?", (user_id,))


def _find(tx: Tx, org_id: str, invitation_id: str) -> Row:
    row = tx.one("SELECT * FROM invitations WHERE id = ? AND org_id = ?", (invitation_id, org_id))
    if row is None:
        raise NotFound("There is no such invitation in this organization.")
    return row


def _record(row: Row) -> Record:
    return {
        "id": row["id"],
        "email": row["email"],
        "role": row["role"],
        "status": row["status"],
        "invitedBy": row["invited_by"],
        "tokenPrefix": row["token_prefix"],
        "expiresAt": to_iso(row["expires_at"]),
        "createdAt": to_iso(row["created_at"]),
    }
