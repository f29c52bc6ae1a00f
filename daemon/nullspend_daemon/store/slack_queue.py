"""What Slack still has to be told: written in the transaction of its cause, where an organization has Slack set up."""

from nullspend_daemon.store.transaction import Tx

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


def add_event(tx: Tx, org_id: str, event_seq: int | None) -> None:
    """Tell of an outbox event."""
    _add(tx, org_id, event_seq, None)


def add_reply(tx: Tx, org_id: str, action_id: str) -> None:
    """Answer in the thread of a budget increase that was carried out."""
    _add(tx, org_id, None, action_id)


def _add(tx: Tx, org_id: str, event_seq: int | None, action_id: str | None) -> None:
    if tx.changed(_ADD, (org_id, event_seq, action_id, tx.now_ms)):
        tx.notify(TOPIC)
