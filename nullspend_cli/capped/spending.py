"""What a key has spent and what it was denied: read once its last call is settled."""

import time
from collections.abc import Iterable
from typing import NamedTuple

from nullspend_cli import live, replies
from nullspend_cli.client import Auth, Client
from nullspend_cli.replies import Record
from nullspend_daemon.contract.ids import Kind

SETTLE_SECONDS = 10.0
"""How long calls that are still in flight are waited for; what they spend later is not in the report."""
_POLL_SECONDS = 0.02
_UP_TO_DATE = b"\n: up to date\n"
"""The daemon says so after the events that were in its log already."""
_REASONS = {
    "budget": "over its budget",
    "rate_limit": "too much too fast",
    "policy": "not allowed to the key",
}


class ModelSpend(NamedTuple):
    """What one model was used for. `cost` in microdollars; `estimated` counts calls charged without a usage report."""

    provider: str
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost: int
    estimated: int


class Denial(NamedTuple):
    """A call that was stopped before any money was spent."""

    model: str
    reason: str

    @property
    def words(self) -> str:
        """The reason as a person reads it."""
        return _REASONS.get(self.reason, self.reason)


class Spending(NamedTuple):
    """All of it: by model, the most expensive first, and the denials in their order."""

    models: tuple[ModelSpend, ...]
    denials: tuple[Denial, ...]
    unsettled: int

    @property
    def cost(self) -> int:
        """Microdollars in all."""
        return sum(model.cost for model in self.models)

    @property
    def calls(self) -> int:
        """Calls that were answered."""
        return sum(model.calls for model in self.models)


def read(client: Client, key_id: str, since: str) -> Spending:
    """What the key has done since a time. Raises Problem."""
    unsettled = _wait_for_calls(client, key_id)
    events = client.pages("/api/cost-events", Kind.COST_EVENT, {"apiKeyId": key_id})
    return Spending(tuple(_by_model(events)), tuple(_denials(client, key_id, since)), unsettled)


def _wait_for_calls(client: Client, key_id: str) -> int:
    """Waits until no call of the key is in flight; returns how many still are when it takes too long."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        held = replies.rows(client.get("/_local/holds", auth=Auth.ADMIN))
        calls = sum(int(row["holds"]) for row in held if row["entityId"] == key_id)
        if not calls or time.monotonic() > deadline:
            return calls
        time.sleep(_POLL_SECONDS)


def _by_model(events: Iterable[Record]) -> list[ModelSpend]:
    sums: dict[tuple[str, str], ModelSpend] = {}
    for event in events:
        name = str(event["provider"]), str(event["model"])
        before = sums.get(name, ModelSpend(*name, 0, 0, 0, 0, 0))
        sums[name] = before._replace(
            calls=before.calls + 1,
            input_tokens=before.input_tokens + int(event["inputTokens"]),
            output_tokens=before.output_tokens + int(event["outputTokens"]),
            cost=before.cost + int(event["costMicrodollars"]),
            estimated=before.estimated + ("_ns_estimated" in (event.get("tags") or {})),
        )
    return sorted(sums.values(), key=lambda model: (-model.cost, model.provider, model.model))


def _denials(client: Client, key_id: str, since: str) -> list[Denial]:
    """The blocked calls in the daemon's log of events, which is read up to its end."""
    params = {"types": "request.blocked", "since": since}
    parser, found, end = live.Parser(), list[live.Change](), b""
    with client.stream(live.PATH, params, auth=Auth.ADMIN, quiet_seconds=SETTLE_SECONDS) as chunks:
        for chunk in chunks:
            found += parser.feed(chunk) or []
            end = (end + chunk)[-len(_UP_TO_DATE) - len(chunk) :]
            if _UP_TO_DATE in end:
                break
    blocked = [change.object for change in found if change.object.get("api_key_id") == key_id]
    return [Denial(str(each.get("model")), str(each.get("reason"))) for each in blocked]
