"""A store with one key on it, and the ledger's calls as a test makes them. No HTTP."""

import itertools
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from nullspend_daemon.contract.clock import TestClock
from nullspend_daemon.http.caller import Caller
from nullspend_daemon.http.route import Call
from nullspend_daemon.ledger import holds
from nullspend_daemon.ledger.events import NewEvent, Stored
from nullspend_daemon.ledger.holds import Approved, Denied, HoldRequest
from nullspend_daemon.local.bootstrap import ensure_owner
from nullspend_daemon.resources.budgets import service
from nullspend_daemon.resources.budgets.models import SetBudget
from nullspend_daemon.resources.cost_events import ingest
from nullspend_daemon.resources.cost_events.models import ReportCost
from nullspend_daemon.settings import Settings
from nullspend_daemon.store import identity
from nullspend_daemon.store.database import Database

START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z


class FixedClock(TestClock):
    """A clock that stands still until it is moved."""

    __test__ = False

    def __init__(self, now_ms: int = START_MS) -> None:
        super().__init__()
        self._now = now_ms

    def now_ms(self) -> int:
        return self._now

    def advance(self, ms: int) -> None:
        self._now += ms


class Ground:
    """The owner, the key `default`, a clock that stands still, and short names for what the engine does."""

    def __init__(self, path: Path, now_ms: int = START_MS) -> None:
        self.path = path
        self.clock = FixedClock(now_ms)
        self.open()
        owner = self.database.write(ensure_owner)
        key = self.database.read(lambda tx: identity.find_key(tx, identity.digest(owner.api_key)))
        assert key is not None
        self.identity = key
        self.org, self.user, self.key = key.org_id, key.user_id, key.key_id
        self.caller = Caller(self.user, self.org, "owner", None)
        self._numbers = itertools.count(1)

    def open(self) -> None:
        self.database = Database(self.path, self.clock)
        self.database.open()

    def close(self) -> None:
        self.database.close()

    # -- budgets

    def budget(
        self, entity_type: str = "user", entity_id: str | None = None, maximum: int = 1_000_000, **more: Any
    ) -> str:
        """Saves a budget as POST /api/budgets does; returns its id. `more` are the body's fields."""
        entity_id = entity_id or {"user": self.user, "api_key": self.key}[entity_type]
        body = SetBudget.model_validate(
            {"entityType": entity_type, "entityId": entity_id, "maxBudgetMicrodollars": maximum, **more}
        )
        return str(self.database.write(lambda tx: service.set_budget(tx, self._call(body)), durable=False)["id"])  # type: ignore[index]

    def reset(self, budget_id: str) -> None:
        self.database.write(lambda tx: service.reset_budget(tx, self._call(None, id=budget_id)), durable=False)

    def delete(self, budget_id: str) -> None:
        self.database.write(lambda tx: service.delete_budget(tx, self._call(None, id=budget_id)), durable=False)

    def _call(self, body: Any, **params: str) -> Call[Any, Any]:
        return Call(self.caller, body, None, params, {}, _Parts)  # type: ignore[arg-type]

    def row(self, budget_id: str) -> dict[str, Any]:
        return dict(self.rows("SELECT * FROM budgets WHERE id = ?", budget_id)[0])

    def spend(self, budget_id: str) -> int:
        return int(self.row(budget_id)["spend_microdollars"])

    # -- calls

    def request(self, estimate: int, **more: Any) -> HoldRequest:
        """A call of gpt-4o; `more` are fields of HoldRequest."""
        tags, session, customer = more.get("tags", {}), more.get("session_id"), more.get("customer")
        if "expires_at" not in more:
            more = {"draft": self.event(0, tags=tags, session_id=session, customer_id=customer), **more}
        return HoldRequest(
            **{
                "org_id": self.org,
                "user_id": self.user,
                "api_key_id": self.key,
                "provider": "openai",
                "model": "gpt-4o",
                "tags": tags,
                "estimate": estimate,
                **more,
            }
        )

    def event(self, cost: int, **more: Any) -> NewEvent:
        """An event of the same call."""
        return NewEvent(
            **{
                "org_id": self.org,
                "user_id": self.user,
                "api_key_id": self.key,
                "request_id": f"req-{next(self._numbers)}",
                "provider": "openai",
                "model": "gpt-4o",
                "input_tokens": 10,
                "output_tokens": 5,
                "cost_microdollars": cost,
                "source": "proxy",
                "event_type": "llm",
                "trace_id": "1" * 32,
                **more,
            }
        )

    def try_hold(self, estimate: int, **more: Any) -> Approved | Denied:
        request = self.request(estimate, **more)
        return self.database.write(lambda tx: holds.hold(tx, request), durable=False)

    def hold(self, estimate: int, **more: Any) -> str:
        """A hold that must be approved; returns its id."""
        answer = self.try_hold(estimate, **more)
        assert isinstance(answer, Approved), answer
        return answer.hold_id

    def denied(self, estimate: int, **more: Any) -> Denied:
        """A hold that must be denied."""
        answer = self.try_hold(estimate, **more)
        assert isinstance(answer, Denied), answer
        return answer

    def settle(self, hold_id: str, cost: int, **more: Any) -> Stored | None:
        awaits = more.pop("awaits", None)
        event = self.event(cost, **more)
        return self.database.write(lambda tx: holds.settle(tx, hold_id, event, awaits=awaits))

    def release(self, hold_id: str) -> None:
        self.database.write(lambda tx: holds.release(tx, hold_id))

    def report(self, cost: int, *, tags: dict[str, str], customer: str | None = None) -> None:
        """Reports spend as POST /api/cost-events does."""
        fields = {"provider": "p", "model": "m", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": cost}
        body = ReportCost.model_validate({**fields, "tags": tags, **({"customer": customer} if customer else {})})
        call = Call(Caller(self.user, self.org, None, self.identity), body, None, {}, {}, _Parts)  # type: ignore[arg-type]
        self.database.write(lambda tx: ingest.report_cost(tx, call), durable=False)

    # -- what is there

    def rows(self, sql: str, *params: Any) -> list[Any]:
        return self.database.read(lambda tx: tx.all(sql, params))

    def told(self, *types: str) -> list[tuple[str, dict[str, Any]]]:
        """The events staged for the world so far, in order; with `types` only those."""
        rows = self.rows("SELECT type, object FROM outbox ORDER BY seq")
        return [(row["type"], from_json(row["object"])) for row in rows if not types or row["type"] in types]


class _Parts:
    settings = Settings(Path(), Path())
