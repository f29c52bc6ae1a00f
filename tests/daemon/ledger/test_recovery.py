"""A daemon that dies between hold and settle: its calls become events, its reservations lapse."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from nullspend_daemon.ledger.check import find_differences
from nullspend_daemon.ledger.recovery import recover
from tests.daemon.ledger.ground import START_MS, Ground
from tests.machine import Machine, start_daemon

ROOT = Path(__file__).parents[3]
DIES = """
import os, signal, sys
from pathlib import Path
from tests.daemon.ledger.ground import Ground
ground = Ground(Path(sys.argv[1]))
ground.budget("user", maximum=1000, sessionLimitMicrodollars=900)
ground.settle(ground.hold(100, session_id="s"), 40, session_id="s")
ground.hold(200, session_id="s", tags={"team": "a"})
ground.hold(70)
ground.release(ground.hold(5))
ground.hold(300, expires_at=ground.clock.now_ms() + 30_000)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_calls_cut_off_by_a_kill_become_events_at_their_hold(tmp_path: Path) -> None:
    path = tmp_path / "nullspend.db"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "daemon")))}
    died = subprocess.run([sys.executable, "-c", DIES, str(path)], env=env, timeout=60)
    assert died.returncode == -signal.SIGKILL
    ground = Ground(path)
    try:
        assert ground.database.write(recover) == 2
        assert ground.database.write(recover) == 0
        assert ground.rows("SELECT spend_microdollars FROM budgets")[0][0] == 310
        assert ground.rows("SELECT spend_microdollars FROM budget_sessions")[0][0] == 240
        events = ground.rows("SELECT * FROM cost_events ORDER BY seq")[1:]
        assert [_shown(event) for event in events] == [
            (200, 200, "approved", {"team": "a", "_ns_estimated": "true", "_ns_recovered": "true"}, "s"),
            (70, 70, "approved", {"_ns_estimated": "true", "_ns_recovered": "true"}, None),
        ]
        assert len(ground.told("cost_event.created")) == 3
        # The reservation is not a call: it goes on counting until it lapses.
        assert ground.denied(391).details["budget_spend_microdollars"] == 610
        assert ground.database.read(find_differences) == []
    finally:
        ground.close()


def _shown(event: Any) -> tuple[Any, ...]:
    cost, estimate = event["cost_microdollars"], event["estimated_cost_microdollars"]
    return cost, estimate, event["budget_status"], json.loads(event["tags"]), event["session_id"]


def test_a_restarted_daemon_has_recovered_before_it_answers(machine: Machine) -> None:
    first = start_daemon(machine)
    first.call("POST", "/api/budgets", {"entityType": "user", "entityId": _me(first), "maxBudgetMicrodollars": 1000})
    first.end(signal.SIGKILL)
    ground = Ground(machine.data / "nullspend.db", START_MS)
    ground.hold(123)
    ground.close()
    second = start_daemon(machine)
    try:
        assert second.call("GET", "/_local/holds", auth="admin").json == {"data": []}
        assert second.call("GET", "/api/budgets").json["data"][0]["spendMicrodollars"] == 123
        (event,) = second.call("GET", "/api/cost-events").json["data"]
        assert event["tags"] == {"_ns_estimated": "true", "_ns_recovered": "true"}
        assert second.call("POST", "/_local/check", {}, auth="admin").json == {"ok": True, "differences": []}
    finally:
        second.end()


def _me(daemon: Any) -> str:
    return str(daemon.state["owner"]["userId"])


def test_a_draft_with_fields_of_an_older_version_is_recovered(ground: Ground) -> None:
    ground.hold(50)
    draft = json.loads(ground.rows("SELECT draft FROM holds")[0][0])
    text = json.dumps({**draft, "gone": 1})
    ground.database.write(lambda tx: tx.execute("UPDATE holds SET draft = ?", (text,)))
    assert ground.database.write(recover) == 1
