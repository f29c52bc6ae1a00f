"""Organizations: list, create, read, rename. Their end is in deletion.py, their people in members.py."""

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.contract.ids import Kind, new_id
from nullspend_daemon.errors import Conflict, Forbidden, NotFound
from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.resources.orgs.models import CreateOrg, UpdateOrg
from nullspend_daemon.store import audit
from nullspend_daemon.store.transaction import Row, Tx


def list_orgs(tx: Tx, call: Call[None, None]) -> Record:
    """List the caller's organizations with their role in each, oldest first."""
    rows = tx.all(
        "SELECT o.*, m.role FROM orgs o JOIN memberships m ON m.org_id = o.id WHERE m.user_id = ?"
        " ORDER BY o.created_at, o.id",
        (call.caller.user_id,),
    )
    return {"data": [_record(row) | {"role": row["role"]} for row in rows]}


def create_org(tx: Tx, call: Call[CreateOrg, None]) -> Record:
    """Create a team organization; the caller becomes its owner."""
    body, user_id = call.body, call.caller.user_id
    _check_slug_is_free(tx, body.slug)
    org_id = new_id(Kind.ORG, tx.now_ms)
    tx.execute(
        "INSERT INTO orgs (id, name, slug, is_personal, created_by, created_at, updated_at)"
        " VALUES (?1, ?2, ?3, 0, ?4, ?5, ?5)",
        (org_id, body.name, body.slug, user_id, tx.now_ms),
    )
    tx.execute(
        "INSERT INTO memberships (org_id, user_id, role, created_at) VALUES (?, ?, 'owner', ?)",
        (org_id, user_id, tx.now_ms),
    )
    audit.record(
        tx,
        org_id=org_id,
        actor_id=user_id,
        action="org.created",
        resource=("org", org_id),
        metadata={"name": body.name, "slug": body.slug},
    )
    return _record(find_org(tx, org_id))


def get_org(tx: Tx, call: Call[None, None]) -> Record:
    """Show one organization."""
    return _record(find_org(tx, call.caller.org_id))


def update_org(tx: Tx, call: Call[UpdateOrg, None]) -> Record:
    """Change a team organization's name or slug."""
    caller = call.caller
    row = find_team(tx, caller.org_id, "renamed")
    changed: dict[str, str] = call.body.model_dump(exclude_unset=True)
    if changed.get("slug", row["slug"]) != row["slug"]:
        _check_slug_is_free(tx, changed["slug"])
    together = {"name": row["name"], "slug": row["slug"], **changed}
    tx.execute(
        "UPDATE orgs SET name = :name, slug = :slug, updated_at = :now WHERE id = :id",
        {**together, "now": tx.now_ms, "id": caller.org_id},
    )
    audit.record_of(tx, caller, "org.updated", ("org", caller.org_id), changed)
    return _record(find_org(tx, caller.org_id))


def find_org(tx: Tx, org_id: str) -> Row:
    """The row of an organization. Raises NotFound when it has just been deleted."""
    row = tx.one("SELECT * FROM orgs WHERE id = ?", (org_id,))
    if row is None:
        raise NotFound("Organization not found.")
    return row


def find_team(tx: Tx, org_id: str, done: str) -> Row:
    """The row of a team organization. Raises Forbidden for a personal one, which cannot be `done`."""
    row = find_org(tx, org_id)
    if row["is_personal"]:
        raise Forbidden(f"A personal organization cannot be {done}. Create a team with nullspend orgs create.")
    return row


def _check_slug_is_free(tx: Tx, slug: str) -> None:
    if tx.one("SELECT 1 FROM orgs WHERE slug = ?", (slug,)):
        raise Conflict(f"The slug {slug} is taken; choose another one.")


def _record(row: Row) -> Record:
    return {
        "id": row["id"],
        "name": row["name"],
        "slug": row["slug"],
        "isPersonal": bool(row["is_personal"]),
        "createdAt": to_iso(row["created_at"]),
        "updatedAt": to_iso(row["updated_at"]),
    }
