"""Random spending, and a store to report it to."""

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from nullspend_daemon.contract.clock import TestClock
from nullspend_daemon.http.caller import Caller
from nullspend_daemon.http.route import Call
from nullspend_daemon.local.bootstrap import ensure_owner
from nullspend_daemon.resources.cost_events import ingest, models
from nullspend_daemon.store import identity
from nullspend_daemon.store.database import Database
from nullspend_daemon.store.identity import KeyIdentity
from nullspend_daemon.store.transaction import Tx

DAY_MS = 86_400_000

EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "provider": st.sampled_from(["openai", "anthropic", "mcp"]),
            "model": st.sampled_from(["a", "b", "c"]),
            "inputTokens": st.integers(0, 1000),
            "outputTokens": st.integers(0, 1000),
            "cachedInputTokens": st.integers(0, 50),
            "reasoningTokens": st.integers(0, 50),
            "costMicrodollars": st.integers(0, 5_000_000),
            "eventType": st.sampled_from(["llm", "tool", "custom"]),
            "source": st.sampled_from(["sdk", "api"]),
            "tags": st.dictionaries(
                st.sampled_from(["team", "stage", "_ns_estimated"]), st.sampled_from(["true", "x", "y"]), max_size=3
            ),
        },
        optional={
            "durationMs": st.integers(0, 9999),
            "sessionId": st.sampled_from(["s1", "s2", "s3"]),
            "traceId": st.sampled_from(["1" * 32, "2" * 32, "3" * 32]),
            "customer": st.sampled_from(["acme", "globex"]),
            "costBreakdown": st.fixed_dictionaries(
                {"input": st.integers(-2, 99), "output": st.integers(0, 99), "cached": st.integers(0, 9)},
                optional={"reasoning": st.integers(0, 9)},
            ),
        },
    ),
    max_size=8,
)
STEPS = st.lists(st.tuples(st.sampled_from([0, 1, DAY_MS // 2, 6 * DAY_MS, 25 * DAY_MS]), EVENTS), max_size=8)


class Ground:
    """A store with two keys of one person, and the calls a test makes on it."""

    def __init__(self, path: Path) -> None:
        self.clock = TestClock()
        self.database = Database(path, self.clock)
        self.database.open()
        owner = self.database.write(ensure_owner)
        key = self.database.read(lambda tx: identity.find_key(tx, identity.digest(owner.api_key)))
        assert key is not None
        self.key: KeyIdentity = key
        self.caller = Caller(key.user_id, key.org_id, None, key)

    def call(self, body: Any = None, query: Any = None, **params: str) -> Call[Any, Any]:
        return Call(self.caller, body, query, params, {}, None)  # type: ignore[arg-type]

    def report(self, events: list[dict[str, Any]]) -> None:
        batch = models.ReportBatch.model_validate({"events": events})
        self.database.write(lambda tx: ingest.report_batch(tx, self.call(batch)))

    def rows(self, since: int = 0, *, without_estimated: bool = False) -> list[dict[str, Any]]:
        def read(tx: Tx) -> list[dict[str, Any]]:
            return [dict(row) for row in tx.all("SELECT * FROM cost_events WHERE created_at >= ?", (since,))]

        rows = self.database.read(read)
        return [row for row in rows if not (without_estimated and '"_ns_estimated":"true"' in row["tags"])]
