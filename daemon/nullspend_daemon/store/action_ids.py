"""Whether an action that a call names is one of its organization."""

from nullspend_daemon.store.transaction import Tx


def known_action(tx: Tx, org_id: str, action_id: str | None) -> str | None:
    """`action_id` when the organization has such an action, else None: what a call says about itself never stops it."""
    return tx.value("SELECT id FROM actions WHERE id = ? AND org_id = ?", (action_id, org_id)) if action_id else None
