"""The end of an organization: every row of it, whichever table a later version adds."""

from nullspend_daemon.store.identity import TOPIC
from nullspend_daemon.store.transaction import Tx

OUTLIVES = frozenset({"audit_log"})
"""The one table whose rows stay: they say that the organization was deleted, and by whom."""

_TABLES_OF_ORGS = (
    "SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c ON c.name = 'org_id'"
    " WHERE t.type = 'table' AND NOT EXISTS (SELECT 1 FROM pragma_foreign_key_list(t.name) f"
    " WHERE f.\"from\" = 'org_id' AND f.on_delete = 'CASCADE')"
)


def delete_org(tx: Tx, org_id: str) -> None:
    """Delete an organization with all it has, in this transaction.

    Tables whose `org_id` refers to orgs follow by themselves. Those that only carry the column are asked for by name,
    from the schema itself, so that a new one cannot be forgotten; stored replies are found through the org's keys.
    """
    tx.execute(
        "DELETE FROM idempotent_replies WHERE api_key_id IN (SELECT id FROM api_keys WHERE org_id = ?)", (org_id,)
    )
    for row in tx.all(_TABLES_OF_ORGS):
        if row["name"] not in OUTLIVES:
            tx.execute(f'DELETE FROM "{row["name"]}" WHERE org_id = ?', (org_id,))
    tx.execute("DELETE FROM orgs WHERE id = ?", (org_id,))
    tx.notify(TOPIC)
