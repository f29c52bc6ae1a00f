"""Who a caller is: keys, sessions, memberships and personal orgs, whatever resource the request is for."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, Literal

from pydantic_core import from_json

from nullspend_daemon.contract.ids import Kind, new_id, uuid_of
from nullspend_daemon.errors import Forbidden
from nullspend_daemon.store.transaction import Tx

Role = Literal["viewer", "member", "admin", "owner"]
RANK: dict[Role, int] = {"viewer": 0, "member": 1, "admin": 2, "owner": 3}

TOPIC = "identity"
"""Notified by every change of a key, a membership or an org, so that nothing cached outlives it."""

SESSION_MS = 30 * 24 * 3_600_000
RENEW_AFTER_MS = 3_600_000
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class KeyIdentity:
    """A live API key and what it stands for."""

    key_id: str
    key_name: str
    org_id: str
    user_id: str
    default_tags: dict[str, str]
    allowed_models: list[str] | None
    allowed_providers: list[str] | None
    owner_is_member: bool


@dataclass(frozen=True, slots=True)
class SessionIdentity:
    """A signed-in person in their active org."""

    user_id: str
    org_id: str
    role: Role
    renew: bool
    """The session was last renewed over an hour ago."""


def digest(secret: str) -> str:
    """How keys and tokens are stored and looked up: SHA-256 hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _list(text: str | None) -> Any:
    return None if text is None else from_json(text)


def find_key(tx: Tx, key_hash: str) -> KeyIdentity | None:
    """The live key with this hash, or None when it is unknown or revoked."""
    row = tx.one(
        "SELECT k.*, m.role FROM api_keys k LEFT JOIN memberships m ON m.org_id = k.org_id AND m.user_id = k.user_id"
        " WHERE k.key_hash = ? AND k.revoked_at IS NULL",
        (key_hash,),
    )
    if row is None:
        return None
    return KeyIdentity(
        key_id=row["id"],
        key_name=row["name"],
        org_id=row["org_id"],
        user_id=row["user_id"],
        default_tags=from_json(row["default_tags"]),
        allowed_models=_list(row["allowed_models"]),
        allowed_providers=_list(row["allowed_providers"]),
        owner_is_member=row["role"] is not None,
    )


def stamp_key(tx: Tx, key_id: str) -> None:
    """Note that a key was used now."""
    tx.execute("UPDATE api_keys SET last_used_at = ? WHERE id = ?", (tx.now_ms, key_id))


def find_session(tx: Tx, token_hash: str, active_org: str | None) -> SessionIdentity | None:
    """The person behind a session token, in `active_org` when they are a member of it, else in their personal org.

    None when the session is unknown or over; the state file's lasts as long as its daemon runs, since nobody could
    renew it after a month of rest or a leap of the test clock. The org is "" when the person has no personal org yet.
    """
    session = tx.one(
        "SELECT user_id, is_owner, renewed_at, expires_at FROM sessions WHERE token_hash = ?", (token_hash,)
    )
    if session is None or (session["expires_at"] <= tx.now_ms and not session["is_owner"]):
        return None
    user_id: str = session["user_id"]
    renew = tx.now_ms - session["renewed_at"] > RENEW_AFTER_MS
    role = None if active_org is None else role_in(tx, active_org, user_id)
    if role is not None and active_org is not None:
        return SessionIdentity(user_id, active_org, role, renew)
    return SessionIdentity(user_id, find_personal_org(tx, user_id) or "", "owner", renew)


def renew_session(tx: Tx, token_hash: str) -> None:
    """Start a session's 30 days again."""
    tx.execute(
        "UPDATE sessions SET renewed_at = ?, expires_at = ? WHERE token_hash = ?",
        (tx.now_ms, tx.now_ms + SESSION_MS, token_hash),
    )


def create_session(tx: Tx, user_id: str, *, is_owner: bool = False) -> tuple[str, int]:
    """A new session of 30 days: the token, stored hashed only, and its end in epoch ms."""
    token = secrets.token_hex(32)
    expires_at = tx.now_ms + SESSION_MS
    tx.execute(
        "INSERT INTO sessions (token_hash, user_id, is_owner, created_at, renewed_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (digest(token), user_id, int(is_owner), tx.now_ms, tx.now_ms, expires_at),
    )
    return token, expires_at


def role_in(tx: Tx, org_id: str, user_id: str) -> Role | None:
    """A person's role in an org, or None when they are no member."""
    return tx.value("SELECT role FROM memberships WHERE org_id = ? AND user_id = ?", (org_id, user_id))


def require_role(role: Role | None, minimum: Role) -> Role:
    """`role` when it is at least `minimum`. Raises Forbidden, also for None, which is no member."""
    if role is None:
        raise Forbidden("You are not a member of this organization.")
    if RANK[role] < RANK[minimum]:
        raise Forbidden(f"This action requires the {minimum} role or higher.")
    return role


def find_personal_org(tx: Tx, user_id: str) -> str | None:
    """The id of a person's personal org, or None."""
    return tx.value("SELECT id FROM orgs WHERE created_by = ? AND is_personal = 1", (user_id,))


def ensure_personal_org(tx: Tx, user_id: str) -> str:
    """The id of a person's personal org, made now when there is none."""
    existing = find_personal_org(tx, user_id)
    if existing is not None:
        return existing
    org_id = new_id(Kind.ORG, tx.now_ms)
    tx.execute(
        "INSERT INTO orgs (id, name, slug, is_personal, created_by, created_at, updated_at)"
        " VALUES (?, ?, ?, 1, ?, ?, ?)",
        (org_id, "Personal", _free_slug(tx, user_id), user_id, tx.now_ms, tx.now_ms),
    )
    tx.execute(
        "INSERT INTO memberships (org_id, user_id, role, created_at) VALUES (?, ?, 'owner', ?)",
        (org_id, user_id, tx.now_ms),
    )
    return org_id


def _free_slug(tx: Tx, user_id: str) -> str:
    """`user-`, the start of the user's id and the time; a millisecond later when two people share both."""
    moment = tx.now_ms
    while True:
        slug = f"user-{uuid_of(user_id)[:8]}-{_base36(moment)}"
        if tx.one("SELECT 1 FROM orgs WHERE slug = ?", (slug,)) is None:
            return slug
        moment += 1


def _base36(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text or "0"
