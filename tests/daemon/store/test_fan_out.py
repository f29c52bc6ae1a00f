"""An event goes to whoever wanted it when it happened, however late its deliveries are made."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nullspend_daemon.store import deliveries, outbox
from nullspend_daemon.store.database import Database
from nullspend_daemon.store.transaction import Tx

TYPES = ["cost_event.created", "budget.reset", "action.created"]
ORGS = ["org-1", "org-2"]


def add_orgs(tx: Tx) -> None:
    tx.execute("PRAGMA defer_foreign_keys = ON")
    tx.execute("INSERT OR IGNORE INTO users (id, email, name, created_at) VALUES ('u', 'a@example.com', 'A', 0)")
    for org in ORGS:
        tx.execute(
            "INSERT OR IGNORE INTO orgs (id, name, slug, is_personal, created_by, created_at, updated_at)"
            " VALUES (?, ?, ?, 0, 'u', 0, 0)",
            (org, org, org),
        )


def add_endpoint(tx: Tx, org: str, types: list[str]) -> int:
    number = (tx.value("SELECT max(seq) FROM webhook_endpoints") or 0) + 1
    tx.execute(
        "INSERT INTO webhook_endpoints (seq, id, org_id, url, event_types, enabled, api_version, payload_mode, secret,"
        " created_at, updated_at) VALUES (?, ?, ?, 'http://127.0.0.1:9/', ?, 1, '2026-04-01', 'full', 's', 0, 0)",
        (number, f"endpoint-{number}", org, json.dumps(types)),
    )
    return number


def made(tx: Tx) -> list[tuple[int, str]]:
    """Every delivery as (endpoint, event id)."""
    rows = tx.all("SELECT d.endpoint_seq, o.id FROM webhook_deliveries d JOIN outbox o ON o.seq = d.event_seq")
    return sorted((row["endpoint_seq"], row["id"]) for row in rows)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.sampled_from(ORGS), st.sampled_from(TYPES)),
        st.tuples(st.just("add"), st.sampled_from(ORGS), st.lists(st.sampled_from(TYPES), max_size=2)),
        st.tuples(st.just("change"), st.integers(0, 3), st.lists(st.sampled_from(TYPES), max_size=2)),
        st.tuples(st.just("switch"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("fan out"), st.integers(1, 4), st.none()),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_deliveries_are_those_a_list_kept_by_hand_has(
    database: Database, steps: list[tuple[str, object, object]]
) -> None:
    def run(tx: Tx) -> None:
        for table in ("webhook_deliveries", "webhook_endpoints", "outbox"):
            tx.execute(f"DELETE FROM {table}")
        add_orgs(tx)
        endpoints: list[dict[str, object]] = []
        expected: list[tuple[int, str]] = []
        for name, first, second in steps:
            if name == "event":
                event_id = outbox.stage(tx, str(first), str(second), {})
                expected += [
                    (int(str(endpoint["seq"])), event_id)
                    for endpoint in endpoints
                    if endpoint["org"] == first
                    and endpoint["on"]
                    and (not endpoint["types"] or second in endpoint["types"])  # type: ignore[operator]
                ]
            elif name == "add":
                deliveries.fan_out(tx)
                seq = add_endpoint(tx, str(first), second)  # type: ignore[arg-type]
                endpoints.append({"seq": seq, "org": first, "types": second, "on": True})
            elif name == "fan out":
                deliveries.fan_out(tx, first)  # type: ignore[arg-type]
            elif endpoints:
                endpoint = endpoints[int(str(first)) % len(endpoints)]
                deliveries.fan_out(tx)
                endpoint["types" if name == "change" else "on"] = second
                tx.execute(
                    "UPDATE webhook_endpoints SET event_types = ?, enabled = ? WHERE seq = ?",
                    (json.dumps(endpoint["types"]), int(bool(endpoint["on"])), endpoint["seq"]),
                )
        deliveries.fan_out(tx)
        assert made(tx) == sorted(expected)
        assert deliveries.earliest_wanted(tx) is None

    database.write(run)


def test_some_events_are_fanned_out_at_a_time_and_the_last_call_says_so(database: Database) -> None:
    def run(tx: Tx) -> list[bool]:
        add_orgs(tx)
        for _ in range(5):
            add_endpoint(tx, "org-1", [])
        for _ in range(deliveries.AT_ONCE // 5 + 1):
            outbox.stage(tx, "org-1", "budget.reset", {})
        return [deliveries.fan_out_some(tx), deliveries.fan_out_some(tx)]

    assert database.write(run) == [True, False]
    assert len(database.read(made)) == deliveries.AT_ONCE + 5


def test_the_log_keeps_an_event_whose_deliveries_are_still_to_be_made(database: Database) -> None:
    def run(tx: Tx) -> None:
        add_orgs(tx)
        add_endpoint(tx, "org-1", ["budget.reset"])
        outbox.stage(tx, "org-1", "action.created", {})
        wanted = outbox.stage(tx, "org-1", "budget.reset", {})
        outbox.stage(tx, "org-1", "action.created", {})
        assert outbox.cut(tx, 0) == 1
        assert tx.value("SELECT id FROM outbox ORDER BY seq LIMIT 1") == wanted

    database.write(run)


def test_an_event_that_is_sent_again_makes_no_deliveries_to_others(database: Database) -> None:
    def run(tx: Tx) -> None:
        add_orgs(tx)
        add_endpoint(tx, "org-1", [])
        outbox.stage(tx, "org-1", "budget.reset", {})
        deliveries.fan_out(tx)
        row = tx.one("SELECT * FROM outbox")
        assert row is not None
        outbox.stage_again(tx, row)
        assert deliveries.fan_out(tx) == 0

    database.write(run)
