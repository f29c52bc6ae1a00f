"""GET /api/cost-events/tag-keys: which tags there are to attribute by."""

from nullspend_daemon.http.route import Call, Record
from nullspend_daemon.ledger.periods import DAY_MS
from nullspend_daemon.store.transaction import Tx

_DAYS = 7
_MOST = 50


def list_tag_keys(tx: Tx, call: Call[None, None]) -> Record:
    """List the tag keys of the last 7 UTC days, the reserved ones left out."""
    rows = tx.all(
        "SELECT tag_key FROM cost_tag_keys WHERE org_id = ? AND last_day >= ? AND substr(tag_key, 1, 4) != '_ns_'"
        " ORDER BY tag_key LIMIT ?",
        (call.caller.org_id, tx.now_ms // DAY_MS - _DAYS + 1, _MOST),
    )
    return {"data": [row["tag_key"] for row in rows]}
