"""The audit log: one row an administrative change, in the transaction of the change."""

from typing import Any, Protocol

from pydantic_core import to_json

from nullspend_daemon.contract.ids import new_uuid
from nullspend_daemon.store.transaction import Tx


class Actor(Protocol):
    """Whoever changes something in an org."""

    @property
    def user_id(self) -> str: ...
    @property
    def org_id(self) -> str: ...


def record_of(
    tx: Tx, actor: Actor, action: str, resource: tuple[str, str | None], metadata: dict[str, Any] | None = None
) -> None:
    """As `record`, for what `actor` did in the org they act in."""
    record(tx, org_id=actor.org_id, actor_id=actor.user_id, action=action, resource=resource, metadata=metadata)


def record(
    tx: Tx,
    *,
    org_id: str,
    actor_id: str,
    action: str,
    resource: tuple[str, str | None],
    metadata: dict[str, Any] | None = None,
) -> None:
    """Write that `actor_id` did `action` (a name of core 1.12, orgs 4) to `resource`, a (type, id) pair."""
    tx.execute(
        "INSERT INTO audit_log (id, org_id, actor_id, action, resource_type, resource_id, metadata, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            new_uuid(tx.now_ms),
            org_id,
            actor_id,
            action,
            *resource,
            None if metadata is None else to_json(metadata).decode(),
            tx.now_ms,
        ),
    )
