"""The key and the budget of a capped command."""

import os
from typing import NamedTuple

from nullspend_cli.client import Client
from nullspend_cli.replies import Record, record
from nullspend_daemon.contract.ids import Kind
from nullspend_daemon.contract.money import MAX_MICRODOLLARS


class Limits(NamedTuple):
    """What may be spent, in microdollars: in all, in the run's session, and in any minute. None is no limit."""

    budget: int | None = None
    session: int | None = None
    velocity: int | None = None

    @property
    def fields(self) -> Record:
        """As fields of a budget. Without a limit the budget is the largest there is: it still counts what is held."""
        optional = {"sessionLimitMicrodollars": self.session, "velocityLimitMicrodollars": self.velocity}
        return {
            "maxBudgetMicrodollars": self.budget or MAX_MICRODOLLARS,
            "thresholdPercentages": [],
            **{name: value for name, value in optional.items() if value is not None},
        }


class Allowance(NamedTuple):
    """A key that was made for one command, and its budget."""

    key_id: str
    raw: str
    budget_id: str


def new_name(kind: str) -> str:
    """A name no other key has: `run-` and eight hex digits."""
    return f"{kind}-{os.urandom(4).hex()}"


def make(client: Client, name: str, limits: Limits, tags: dict[str, str] | None = None) -> Allowance:
    """Creates the key and its budget. Raises Problem."""
    key = record(client.post("/api/keys", {"name": name, "defaultTags": tags or {}}), Kind.KEY)
    entity = {"entityType": "api_key", "entityId": key["id"]}
    budget = record(client.post("/api/budgets", {**entity, **limits.fields}), Kind.BUDGET)
    return Allowance(str(key["id"]), str(key["rawKey"]), str(budget["id"]))
