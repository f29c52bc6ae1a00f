"""GET /api/budgets/velocity-status over HTTP, and what it says when its state cannot be read."""

import logging
from pathlib import Path

import pytest

from nullspend_daemon.http.route import Call
from nullspend_daemon.resources.budgets.velocity import velocity_status
from tests.daemon.ledger.ground import Ground
from tests.machine import Daemon


def test_each_budget_with_a_velocity_limit_has_a_row(daemon: Daemon) -> None:
    assert daemon.call("GET", "/api/budgets/velocity-status").json == {"velocityState": []}
    user, limit = daemon.state["owner"]["userId"], {"maxBudgetMicrodollars": 9, "velocityLimitMicrodollars": 5}
    daemon.call("POST", "/api/budgets", {"entityType": "user", "entityId": user, **limit})
    daemon.call("POST", "/api/budgets", {"entityType": "tag", "entityId": "a=b", **limit, "velocityWindowSeconds": 90})
    daemon.call("POST", "/api/budgets", {"entityType": "customer", "entityId": "acme", "maxBudgetMicrodollars": 9})
    tag, own = daemon.call("GET", "/api/budgets/velocity-status").json["velocityState"]
    assert own.pop("window_start_ms") >= tag.pop("window_start_ms") - 60_000
    counters = {"current_count": 0, "current_spend": 0, "prev_count": 0, "prev_spend": 0, "tripped_at": None}
    assert tag == {"entity_key": "tag:a=b", "window_size_ms": 90_000, **counters}
    assert own == {"entity_key": f"user:{user}", "window_size_ms": 60_000, **counters}


def test_a_state_that_cannot_be_read_is_an_empty_list(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ground = Ground(tmp_path / "nullspend.db")
    ground.database.write(lambda tx: tx.execute("DROP TABLE budget_velocity"))
    call = Call(ground.caller, None, None, {}, {}, None)  # type: ignore[arg-type]
    with caplog.at_level(logging.ERROR):
        assert ground.database.read(lambda tx: velocity_status(tx, call)) == {"velocityState": []}
    assert "no such table" in caplog.text
    ground.close()
