"""Members: list, roles, removal, leaving, transfer. A change counts from the next request on, keys included."""

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.errors import Forbidden, NotFound, ValidationFailed
from nullspend_daemon.http.caller import Caller
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.resources.orgs.models import ChangeRole, Transfer
from nullspend_daemon.store import audit
from nullspend_daemon.store.identity import TOPIC
from nullspend_daemon.store.transaction import Row, Tx


def list_members(tx: Tx, call: Call[None, None]) -> Record:
    """List the members of an organization, the first one first."""
    rows = tx.all(
        "SELECT m.*, u.email FROM memberships m LEFT JOIN users u ON u.id = m.user_id WHERE m.org_id = ?"
        " ORDER BY m.created_at, m.user_id",
        (call.caller.org_id,),
    )
    return {"data": [_record(row) | {"email": row["email"]} for row in rows]}


def refuse_self(call: Call[None, None]) -> None:
    """Nobody changes or removes themselves, whatever the body says. Raises Forbidden."""
    if call.params["userId"] == call.caller.user_id:
        raise Forbidden("You cannot change your own membership. To go, use nullspend orgs leave.")


def change_role(tx: Tx, call: Call[ChangeRole, None]) -> Record:
    """Make a member an admin, a member or a viewer."""
    caller, role, user_id = call.caller, call.body.role, call.params["userId"]
    _find_changeable(tx, caller, user_id)
    tx.execute("UPDATE memberships SET role = ? WHERE org_id = ? AND user_id = ?", (role, caller.org_id, user_id))
    tx.notify(TOPIC)
    audit.record_of(tx, caller, "member.role_changed", ("membership", user_id), {"newRole": role})
    return _record(_find(tx, caller.org_id, user_id))


def remove_member(tx: Tx, call: Call[None, None]) -> Record:
    """Remove a member and revoke their keys in the organization; what else they made stays."""
    caller, user_id = call.caller, call.params["userId"]
    _find_changeable(tx, caller, user_id)
    _end_membership(tx, caller.org_id, user_id)
    audit.record_of(tx, caller, "member.removed", ("membership", user_id))
    return {"success": True}


def leave(tx: Tx, call: Call[None, None]) -> Record:
    """Leave an organization; the caller's keys in it are revoked."""
    caller = call.caller
    if caller.role == "owner":
        raise Forbidden("The owner cannot leave. Transfer the organization first, or delete it.")
    _end_membership(tx, caller.org_id, caller.user_id)
    audit.record_of(tx, caller, "member.left", ("membership", caller.user_id))
    call.clears_active_org = True
    return {"success": True}


def transfer(tx: Tx, call: Call[Transfer, None]) -> Record:
    """Make another admin or member the owner; the caller stays as an admin."""
    caller, target = call.caller, call.body.new_owner_user_id
    if target == caller.user_id:
        raise ValidationFailed.at(["newOwnerUserId"], "You are the owner already")
    if _find(tx, caller.org_id, target)["role"] == "viewer":
        raise ValidationFailed.at(["newOwnerUserId"], "A viewer cannot become the owner; change their role first")
    set_role = "UPDATE memberships SET role = ? WHERE org_id = ? AND user_id = ?"
    # In this order: there is never more than one owner, not even between two statements.
    tx.execute(set_role, ("admin", caller.org_id, caller.user_id))
    tx.execute(set_role, ("owner", caller.org_id, target))
    tx.notify(TOPIC)
    audit.record_of(tx, caller, "org.ownership_transferred", ("org", caller.org_id), {"newOwnerUserId": target})
    return {"success": True, "newOwnerUserId": target}


def _find_changeable(tx: Tx, caller: Caller, user_id: str) -> None:
    """Raises NotFound for no member, Forbidden for the owner and, unless the owner asks, for an admin."""
    role = _find(tx, caller.org_id, user_id)["role"]
    if role == "owner":
        raise Forbidden("The owner's membership cannot be changed; only a transfer does that.")
    if role == "admin" and caller.role != "owner":
        raise Forbidden("Only the owner can change or remove an admin.")


def _end_membership(tx: Tx, org_id: str, user_id: str) -> None:
    tx.execute(
        "UPDATE api_keys SET revoked_at = ? WHERE org_id = ? AND user_id = ? AND revoked_at IS NULL",
        (tx.now_ms, org_id, user_id),
    )
    tx.execute("DELETE FROM memberships WHERE org_id = ? AND user_id = ?", (org_id, user_id))
    tx.notify(TOPIC)


def _find(tx: Tx, org_id: str, user_id: str) -> Row:
    row = tx.one("SELECT * FROM memberships WHERE org_id = ? AND user_id = ?", (org_id, user_id))
    if row is None:
        raise NotFound("There is no such member in this organization.")
    return row


def _record(row: Row) -> Record:
    return {"userId": row["user_id"], "role": row["role"], "createdAt": to_iso(row["created_at"])}
