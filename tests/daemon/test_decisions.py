"""Two decisions on one action, the second made with what it saw before the first was stored."""

import sqlite3
from pathlib import Path

import pytest

from nullspend_daemon.approvals.decisions import Decision, decide
from nullspend_daemon.contract.clock import SystemClock
from nullspend_daemon.errors import InvalidActionTransition, StaleAction
from nullspend_daemon.store.database import Database

ORG = "ns_org_019a0000-0000-7000-8000-000000000001"
ACTION = "ns_act_019a0000-0000-7000-8000-000000000002"


def decision(verdict: str, seen: str) -> Decision:
    return Decision(org_id=ORG, action_id=ACTION, verdict=verdict, by="ada", seen=seen)  # type: ignore[arg-type]


def test_the_second_of_two_is_told_that_it_is_stale_and_a_later_one_that_it_is_decided(tmp_path: Path) -> None:
    database = Database(tmp_path / "nullspend.db", SystemClock())
    database.open()
    try:
        database.write(
            lambda tx: (
                tx.execute("INSERT INTO orgs VALUES (?, 'o', 'o', 0, 'u', 1, 1, NULL)", (ORG,)),
                tx.execute(
                    "INSERT INTO actions (id, org_id, api_key_id, agent_id, action_type, status, payload, created_at)"
                    " VALUES (?, ?, 'k', 'a', 'http_post', 'pending', '{}', 1)",
                    (ACTION, ORG),
                ),
            )
        )
        database.write(lambda tx: decide(tx, decision("rejected", "pending"), hosted=False))
        with pytest.raises(StaleAction):
            database.write(lambda tx: decide(tx, decision("approved", "pending"), hosted=False))
        with pytest.raises(InvalidActionTransition):
            database.write(lambda tx: decide(tx, decision("approved", "rejected"), hosted=False))
    finally:
        database.close()
    stored = sqlite3.connect(tmp_path / "nullspend.db")
    assert stored.execute("SELECT status FROM actions").fetchall() == [("rejected",)]
    assert stored.execute("SELECT type FROM outbox").fetchall() == [("action.rejected",)]
    stored.close()
