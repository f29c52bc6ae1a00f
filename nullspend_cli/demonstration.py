"""A budget that stops an agent, to watch: a throw-away key spends at the daemon's fake provider until it is denied."""

from nullspend_cli.client import Auth, Client
from nullspend_cli.problems import Problem, ServerError
from nullspend_cli.replies import Record, record
from nullspend_daemon.contract.ids import Kind

NAME = "quickstart-demo"
LIMIT_MICRODOLLARS = 10_000
MOST_CALLS = 50
_CALL: Record = {
    "model": "fake/gpt",
    "messages": [{"role": "user", "content": "How many roads must a man walk down?"}],
    "max_tokens": 1600,
    "fake": {"outputTokens": 1600, "text": "42"},
}
"""Costs about $0.001 at the fake model's price, so that about ten of them are a cent."""


def spend_until_denied(client: Client) -> Record:
    """How many calls passed and what the denial said. The key and its budget are deleted, whatever happens.

    Raises Problem when nothing is denied.
    """
    key = record(client.post("/api/keys", {"name": NAME}), Kind.KEY)
    try:
        body = {"entityType": "api_key", "entityId": key["id"], "maxBudgetMicrodollars": LIMIT_MICRODOLLARS}
        budget = record(client.post("/api/budgets", body), Kind.BUDGET)
        try:
            return _spend(client.with_key(str(key["rawKey"])))
        finally:
            client.delete(f"/api/budgets/{budget['id']}")
    finally:
        client.delete(f"/api/keys/{key['id']}")


def _spend(agent: Client) -> Record:
    for calls in range(MOST_CALLS):
        try:
            agent.post("/v1/chat/completions", _CALL, auth=Auth.KEY)
        except ServerError as denied:
            if denied.code != "budget_exceeded":
                raise
            return {
                "calls": calls,
                "code": denied.code,
                "message": denied.message,
                "limitMicrodollars": LIMIT_MICRODOLLARS,
            }
    raise Problem(f"{MOST_CALLS} calls passed a budget of a cent.", next="nullspend daemon logs")
