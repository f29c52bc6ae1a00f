"""A daemon whose disk is full answers 503, keeps reading, and goes on when there is space again."""

import subprocess
from pathlib import Path

import pytest

from tests.machine import Machine, start_daemon

EVENT = {"provider": "p", "model": "m", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": 7}
UNLIMITED = "unlimited"


def limit_files(pid: int, size: int | str) -> None:
    """Sets how large a file the process may write: the disk as far as it can tell."""
    subprocess.run(["prlimit", "--pid", str(pid), f"--fsize={size}:{UNLIMITED}"], check=True)


@pytest.mark.slow
def test_acknowledged_is_stored_and_the_rest_is_told_so(tmp_path: Path) -> None:
    daemon = start_daemon(Machine(tmp_path))
    try:
        largest = max(path.stat().st_size for path in daemon.data.iterdir())
        limit_files(daemon.process.pid, largest + 400_000)
        acknowledged, refused = 0, None
        for number in range(400):
            batch = {"events": [{**EVENT, "model": "m" * 190}] * 20}
            reply = daemon.call(
                "POST", "/api/cost-events/batch", batch, auth="key", headers={"Idempotency-Key": f"k{number}"}
            )
            if reply.status == 503:
                refused = reply
                break
            assert reply.status == 201
            acknowledged += reply.json["inserted"]
        assert refused is not None, "the limit was never reached"
        assert refused.json["error"]["code"] == "service_unavailable"
        assert refused.headers["retry-after"] == "30"
        assert acknowledged > 0
        counts = daemon.call("GET", "/_local/info", auth="admin").json["counts"]
        assert counts["costEvents"] == acknowledged
        assert daemon.call("GET", "/api/cost-events?limit=100", auth="key").status == 200
        assert daemon.call("GET", "/api/budgets").status == 200
        limit_files(daemon.process.pid, UNLIMITED)
        again = daemon.call("POST", "/api/cost-events", EVENT, auth="key")
        assert again.status == 201
        assert daemon.call("GET", "/_local/info", auth="admin").json["counts"]["costEvents"] == acknowledged + 1
        assert daemon.call("POST", "/_local/check", {}, auth="admin").json["ok"] is True
    finally:
        code = daemon.end()
    assert code == 0
