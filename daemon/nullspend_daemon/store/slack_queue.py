"""What Slack still has to be told: written in the transaction of its cause, where an organization has Slack set up."""

from nullspend_daemon.store.transaction import Row, Tx

TOPIC = "slack"
TOLD = frozenset(
    {
        "action.created",
        "budget.threshold.warning",
        "budget.threshold.critical",
        "budget.exceeded",
        "tag_budget.exceeded",
        "customer_budget.exceeded",
        "margin.threshold_crossed",
    }
)
"""The events of the catalogue that become a message."""

_ADD = (
    "INSERT INTO slack_messages (org_id, event_seq, action_id, due_at)"
    " SELECT org_id, ?2, ?3, ?4 FROM slack_configs WHERE org_id = ?1 AND is_active = 1"
)
# A reply in a thread waits for the message that opens the thread.
_DUE = (
    "slack_messages m WHERE due_at <= ?1 AND NOT (event_seq IS NULL AND EXISTS (SELECT 1 FROM slack_messages o"
    " WHERE o.org_id = m.org_id AND o.action_id = m.action_id AND o.event_seq IS NOT NULL))"
)


def add_event(tx: Tx, org_id: str, event_seq: int | None, action_id: str | None) -> None:
    """Tell of an outbox event, which may be about an action."""
    _add(tx, org_id, event_seq, action_id)


def add_reply(tx: Tx, org_id: str, action_id: str) -> None:
    """Answer in the thread of a budget increase that was carried out."""
    _add(tx, org_id, None, action_id)


def orgs_due(tx: Tx) -> list[str]:
    """The organizations that have something to send now."""
    return [row["org_id"] for row in tx.all(f"SELECT DISTINCT org_id FROM {_DUE}", (tx.now_ms,))]


def next_due(tx: Tx, org_id: str) -> Row | None:
    """The oldest message that an organization has to send now."""
    return tx.one(f"SELECT * FROM {_DUE} AND org_id = ?2 ORDER BY seq LIMIT 1", (tx.now_ms, org_id))


def is_empty(tx: Tx) -> bool:
    """Whether nothing waits, not even for a later try."""
    return tx.one("SELECT 1 FROM slack_messages LIMIT 1") is None


def drop(tx: Tx, seq: int) -> None:
    """A message was sent, or is given up."""
    tx.execute("DELETE FROM slack_messages WHERE seq = ?", (seq,))


def postpone(tx: Tx, seq: int, wait_ms: int) -> None:
    """A message has to be tried again after `wait_ms`."""
    tx.execute(
        "UPDATE slack_messages SET attempts = attempts + 1, due_at = ? WHERE seq = ?", (tx.now_ms + wait_ms, seq)
    )


def drop_all(tx: Tx, org_id: str) -> None:
    """An organization wants to hear nothing any more."""
    tx.execute("DELETE FROM slack_messages WHERE org_id = ?", (org_id,))


def _add(tx: Tx, org_id: str, event_seq: int | None, action_id: str | None) -> None:
    if tx.changed(_ADD, (org_id, event_seq, action_id, tx.now_ms)):
        tx.notify(TOPIC)
