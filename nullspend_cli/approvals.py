"""Actions read from a server and decided on it: found by the end of their id, with what a person should know."""

from collections.abc import Iterator
from typing import Any

from nullspend_cli import replies
from nullspend_cli.client import Auth, Client
from nullspend_cli.names import id_or_none, only
from nullspend_cli.problems import Usage
from nullspend_cli.replies import Record
from nullspend_cli.when import show_time
from nullspend_daemon.contract.ids import InvalidId, Kind, parse_id

PATH = "/api/actions"
PENDING = "pending"
BUDGET_INCREASE = "budget_increase"
APPROVED_FIRST = frozenset({"approved", "executing", "executed", "failed"})
"""Statuses only an approved action can have."""
_LOOKED_THROUGH = 500
_SHORT, _SHORTEST = 8, 4


def rows(client: Client, *, statuses: str | None = None, limit: int = 0) -> Iterator[Record]:
    """Actions, newest first, as many as `limit` (0 is all); `statuses` is a comma-separated list."""
    found = client.pages(PATH, Kind.ACTION, {"statuses": statuses}, limit=limit)
    return (_shown(row) for row in found)


def get(client: Client, action_id: str) -> Record:
    """One action. Raises ServerError."""
    return _shown(replies.record(client.get(f"{PATH}/{action_id}", auth=Auth.EITHER), Kind.ACTION))


def find(client: Client, text: str) -> Record:
    """The action with this id, or whose id ends like this. Raises Missing, or Usage when several do."""
    action_id = _whole_id(text)
    if action_id is not None:
        return get(client, action_id)
    if len(text) < _SHORTEST:
        raise Usage(f"Give at least the last {_SHORTEST} characters of the id.", next="nullspend actions list")
    found = [row for row in rows(client, limit=_LOOKED_THROUGH) if str(row["id"]).endswith(text.lower())]
    return only(
        found,
        f"There is no action {text!r} among the newest {_LOOKED_THROUGH}.",
        "nullspend actions list",
        f"Several actions end with {text!r}:",
        lambda row: f"{row['id']}  {row['agentId']}  {row['actionType']}  {show_time(row['createdAt'])}",
    )


def decide(client: Client, action_id: str, verb: str, amount: int | None = None) -> Record:
    """Approve or reject; `amount` is the part, in microdollars, of an increase that is approved. Raises ServerError."""
    body = {} if amount is None else {"approvedAmountMicrodollars": amount}
    return _shown(replies.record(client.post(f"{PATH}/{action_id}/{verb}", body), Kind.ACTION))


def costs(client: Client, action_id: str) -> list[Record]:
    """The cost events of one action, newest first."""
    return replies.rows(client.get(f"{PATH}/{action_id}/costs", auth=Auth.EITHER), Kind.COST_EVENT)


def budget_of(client: Client, action: Record) -> Record | None:
    """The budget a budget_increase would raise; None when there is none."""
    payload: Any = action.get("payload")
    if action.get("actionType") != BUDGET_INCREASE or not isinstance(payload, dict):
        return None
    wanted = replies.with_prefixes(payload, None)
    budgets = replies.rows(client.get("/api/budgets", auth=Auth.EITHER), Kind.BUDGET)
    entity = wanted.get("entityType"), wanted.get("entityId")
    return next((each for each in budgets if (each.get("entityType"), each.get("entityId")) == entity), None)


def requested(action: Record) -> int | None:
    """What a budget_increase asks for, in microdollars; None when its payload says nothing of the kind."""
    payload: Any = action.get("payload")
    asked = payload.get("requestedAmountMicrodollars") if isinstance(payload, dict) else None
    return asked if isinstance(asked, int) and not isinstance(asked, bool) else None


def short(action_id: object) -> str:
    """The end of an id: enough to name an action on the command line."""
    return str(action_id)[-_SHORT:]


def _whole_id(text: str) -> str | None:
    given = id_or_none(Kind.ACTION, text)
    if given is not None:
        return given
    try:
        return parse_id(Kind.ACTION, text, bare=True)
    except InvalidId:
        return None


def _shown(row: Record) -> Record:
    """Whoever decided is a user's id, which some servers send without its prefix, or a name from Slack."""
    shown = dict(row)
    for field in ("approvedBy", "rejectedBy"):
        if isinstance(shown.get(field), str):
            shown[field] = replies.prefixed(Kind.USER, shown[field])
    return shown
