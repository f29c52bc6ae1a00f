"""The first start, and every start: the owner, their personal org, the key `default`, and fresh credentials."""

from dataclasses import dataclass
from pathlib import Path

from nullspend_daemon.contract.ids import Kind, new_id
from nullspend_daemon.local.datadir import write_private
from nullspend_daemon.resources.keys.models import CreateKey
from nullspend_daemon.resources.keys.service import insert_key
from nullspend_daemon.store import identity
from nullspend_daemon.store.database import Database
from nullspend_daemon.store.transaction import Tx

OWNER_EMAIL = "owner@nullspend.local"


@dataclass(frozen=True, slots=True)
class Owner:
    """The person this machine belongs to, with credentials of this start."""

    user_id: str
    email: str
    org_id: str
    session_token: str
    api_key: str


def bootstrap(database: Database, default_key_path: Path) -> Owner:
    """Make what is missing, revoke the previous start's session, and mint a new one.

    The raw key `default` is kept in its own file, since the database holds only its hash; a lost or revoked one is
    replaced by a new key. Raises ServiceUnavailable when the store cannot be written.
    """
    kept = default_key_path.read_text().strip() if default_key_path.exists() else ""
    owner = database.write(lambda tx: ensure_owner(tx, kept))
    if owner.api_key != kept:
        keep_default_key(default_key_path, owner)
    return owner


def keep_default_key(path: Path, owner: Owner) -> None:
    """Write the raw key `default` to its file."""
    write_private(path, owner.api_key.encode() + b"\n")


def ensure_owner(tx: Tx, kept_key: str = "") -> Owner:
    """The owner with a new session; user, personal org and the key `default` are made where they are missing."""
    user_id = tx.value("SELECT value FROM meta WHERE name = 'owner'")
    if user_id is None:
        user_id = create_user(tx, OWNER_EMAIL, "Owner")
        tx.execute("INSERT INTO meta (name, value) VALUES ('owner', ?)", (user_id,))
    org_id = identity.ensure_personal_org(tx, user_id)
    tx.execute("DELETE FROM sessions WHERE is_owner = 1")
    token, _ = identity.create_session(tx, user_id, is_owner=True)
    email = tx.value("SELECT email FROM users WHERE id = ?", (user_id,))
    return Owner(user_id, email, org_id, token, _ensure_default_key(tx, org_id, user_id, kept_key))


def _ensure_default_key(tx: Tx, org_id: str, user_id: str, kept: str) -> str:
    live = identity.find_key(tx, identity.digest(kept)) if kept else None
    if live is not None and live.org_id == org_id:
        return kept
    return insert_key(tx, org_id, user_id, CreateKey(name="default"))[1]


def create_user(tx: Tx, email: str, name: str | None) -> str:
    """A new person with a personal org; the email is stored lower-case and must be free."""
    user_id = new_id(Kind.USER, tx.now_ms)
    tx.execute(
        "INSERT INTO users (id, email, name, created_at) VALUES (?, ?, ?, ?)", (user_id, email.lower(), name, tx.now_ms)
    )
    identity.ensure_personal_org(tx, user_id)
    return user_id
