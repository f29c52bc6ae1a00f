"""/_local/users and /_local/sessions: more people on one machine, so that roles can be lived through."""

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.errors import Conflict, Forbidden, NotFound
from nullspend_daemon.http.auth import ORG_COOKIE, SESSION_COOKIE
from nullspend_daemon.http.caller import ADMIN
from nullspend_daemon.http.route import Call, Record, Route
from nullspend_daemon.local.bootstrap import create_user
from nullspend_daemon.local.models import (
    CreatedSession,
    CreatedUser,
    CreateSession,
    CreateUser,
    Revoked,
    RevokeSessions,
    UserList,
)
from nullspend_daemon.store import identity
from nullspend_daemon.store.transaction import Row, Tx


def add_user(tx: Tx, call: Call[CreateUser, None]) -> Record:
    """Add a person, with a personal organization."""
    body = call.body
    if tx.one("SELECT 1 FROM users WHERE email = ?", (body.email,)):
        raise Conflict(f"There is a user {body.email} already.")
    user_id = create_user(tx, body.email, body.name)
    return _user(user_id, body.email, body.name)


def list_users(tx: Tx, call: Call[None, None]) -> Record:
    """List the people of this daemon, oldest first."""
    rows = tx.all("SELECT * FROM users ORDER BY created_at, id")
    people = [_user(row["id"], row["email"], row["name"]) | {"createdAt": to_iso(row["created_at"])} for row in rows]
    return {"data": people}


def create_session(tx: Tx, call: Call[CreateSession, None]) -> Record:
    """Sign a person in: the reply's `cookie` is a ready Cookie header value."""
    user = _find_user(tx, call.body)
    org_id = call.body.org_id or identity.ensure_personal_org(tx, user["id"])
    role = identity.role_in(tx, org_id, user["id"])
    if role is None:
        raise Forbidden(f"{user['email']} is not a member of {org_id}.")
    token, expires_at = identity.create_session(tx, user["id"])
    cookie = f"{SESSION_COOKIE}={token}"
    if call.body.org_id is not None:
        cookie += f"; {ORG_COOKIE}={call.parts.signer.sign(org_id, role)}"
    return {
        "userId": user["id"],
        "orgId": org_id,
        "role": role,
        "cookie": cookie,
        "expiresAt": to_iso(expires_at),
    }


def revoke_sessions(tx: Tx, call: Call[None, RevokeSessions]) -> Record:
    """End a person's sessions, or without `userId` all but the state file's."""
    if call.query.user_id is None:
        return {"revoked": tx.changed("DELETE FROM sessions WHERE is_owner = 0")}
    return {"revoked": tx.changed("DELETE FROM sessions WHERE user_id = ?", (call.query.user_id,))}


def _user(user_id: str, email: str, name: str | None) -> Record:
    return {"userId": user_id, "email": email} | ({} if name is None else {"name": name})


def _find_user(tx: Tx, body: CreateSession) -> Row:
    column, value = ("id", body.user_id) if body.user_id is not None else ("email", body.email)
    row = tx.one(f"SELECT * FROM users WHERE {column} = ?", (value,))
    if row is None:
        raise NotFound(f"There is no user {value}. nullspend users list shows who there is.")
    return row


ROUTES = [
    Route(
        method="POST",
        path="/_local/users",
        auth=ADMIN,
        body=CreateUser,
        reply=CreatedUser,
        writes=add_user,
        status=201,
        errors=("conflict",),
    ),
    Route(method="GET", path="/_local/users", auth=ADMIN, reply=UserList, reads=list_users),
    Route(
        method="POST",
        path="/_local/sessions",
        auth=ADMIN,
        body=CreateSession,
        reply=CreatedSession,
        writes=create_session,
        status=201,
        errors=("not_found", "forbidden"),
    ),
    Route(
        method="DELETE",
        path="/_local/sessions",
        auth=ADMIN,
        query=RevokeSessions,
        reply=Revoked,
        writes=revoke_sessions,
    ),
]
