"""One message of the queue as the request that carries it, or nothing when there is nothing to say any more."""

from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json, to_json

from nullspend_daemon.approvals.actions import BUDGET_INCREASE
from nullspend_daemon.approvals.increases import entity_of
from nullspend_daemon.ledger import budgets
from nullspend_daemon.ledger.budgets import Budget
from nullspend_daemon.resources.slack import action_messages, alert_messages
from nullspend_daemon.resources.slack.blocks import Message
from nullspend_daemon.resources.slack.hosts import API, Slack
from nullspend_daemon.resources.slack.service import find
from nullspend_daemon.store.transaction import Row, Tx

POST_MESSAGE = f"{API}/api/chat.postMessage"


@dataclass(frozen=True, slots=True)
class Note:
    """A request to Slack. `retries`: worth more than one try. `opens_thread_of`: the action whose message it is."""

    url: str
    body: bytes
    headers: dict[str, str]
    retries: bool
    opens_thread_of: str | None = None

    @property
    def is_api(self) -> bool:
        """Whether it goes to Slack's Web API, which says in the body whether it worked."""
        return self.url == POST_MESSAGE


def note_of(tx: Tx, slack: Slack, dash: str, queued: Row) -> Note | None:
    """The request for a queued message; None once Slack is off or what it is about is gone."""
    config = find(tx, queued["org_id"])
    if config is None or not config["is_active"]:
        return None
    if queued["event_seq"] is None:
        return _reply(tx, slack, queued)
    event = tx.one("SELECT type, object FROM outbox WHERE seq = ?", (queued["event_seq"],))
    if event is None:
        return None
    return _of_event(tx, slack, dash, config, event["type"], from_json(event["object"]))


def through_webhook(url: str, message: Message, *, retries: bool) -> Note:
    """A message through an incoming webhook."""
    return Note(url, to_json(message), {"Content-Type": "application/json"}, retries)


def _of_event(tx: Tx, slack: Slack, dash: str, config: Row, event_type: str, data: dict[str, Any]) -> Note | None:
    url = config["webhook_url"]
    if event_type == "margin.threshold_crossed":
        return through_webhook(url, alert_messages.margin_alert(dash, data), retries=False)
    if event_type != "action.created":
        return through_webhook(url, alert_messages.budget_alert(dash, event_type, data), retries=False)
    if data["action_type"] != BUDGET_INCREASE:
        return through_webhook(url, action_messages.requested(dash, data), retries=True)
    budget = _budget(tx, config["org_id"], data["payload"])
    message = action_messages.increase_requested(dash, data, budget, threaded=slack.threads)
    if slack.threads:
        return _through_api(slack, message, opens_thread_of=data["action_id"])
    return through_webhook(url, message, retries=True)


def _reply(tx: Tx, slack: Slack, queued: Row) -> Note | None:
    action = tx.one("SELECT * FROM actions WHERE id = ?", (queued["action_id"],))
    if action is None or action["slack_thread"] is None or not slack.threads:
        return None
    message = action_messages.increase_done(_budget(tx, action["org_id"], from_json(action["payload"])))
    return _through_api(slack, message | {"thread_ts": action["slack_thread"]})


def _through_api(slack: Slack, message: Message, *, opens_thread_of: str | None = None) -> Note:
    headers = {"Content-Type": "application/json; charset=utf-8", "Authorization": f"Bearer {slack.bot_token}"}
    return Note(POST_MESSAGE, to_json({"channel": slack.channel, **message}), headers, True, opens_thread_of)


def _budget(tx: Tx, org_id: str, payload: dict[str, Any]) -> Budget | None:
    """The budget that a payload, which nobody has checked yet, names."""
    entity_type, entity_id = payload.get("entityType"), payload.get("entityId")
    if not isinstance(entity_type, str) or not isinstance(entity_id, str):
        return None
    found = budgets.find(tx, org_id, entity_of(entity_type, entity_id))
    return None if found is None else found.at(tx.now_ms)
