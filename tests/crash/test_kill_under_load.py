"""kill -9 while four clients report: what was acknowledged is there exactly once, and every figure agrees."""

import http.client
import json
import os
import random
import signal
import sqlite3
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.machine import Daemon, Machine, start_daemon

FULL = os.environ.get("NULLSPEND_FULL") == "1"
KILLS = 25 if FULL else 20
EVENTS = 5_000 if FULL else 1_000
CLIENTS = 4


@dataclass
class Client(threading.Thread):
    """Reports events one by one and in batches until told to stop; repeats what got no answer, with the same key."""

    ground: "Ground"
    seed: int
    acknowledged: dict[str, int] = field(default_factory=dict)
    """Cost by request id of every event whose report was answered with success."""

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.random = random.Random(self.seed)

    def __hash__(self) -> int:
        return self.seed

    def run(self) -> None:
        while not self.ground.stopping.is_set():
            events = [self.event() for _ in range(self.random.choice([1, 1, 1, 5]))]
            path = "/api/cost-events" if len(events) == 1 else "/api/cost-events/batch"
            body = events[0] if len(events) == 1 else {"events": events}
            if self.until_answered(path, body, str(uuid.uuid4())):
                self.acknowledged |= {event["idempotencyKey"]: event["costMicrodollars"] for event in events}

    def event(self) -> dict[str, Any]:
        return {
            "provider": "p",
            "model": self.random.choice(["a", "b"]),
            "inputTokens": 1,
            "outputTokens": 1,
            "costMicrodollars": self.random.randrange(1, 1_000),
            "sessionId": f"s{self.random.randrange(5)}",
            "tags": {"team": self.random.choice(["x", "y"])},
            "customer": "acme",
            "idempotencyKey": str(uuid.uuid4()),
        }

    def until_answered(self, path: str, body: Any, key: str) -> bool:
        """The retries of one report. The row keys make a repeat harmless even when the stored reply was lost."""
        header = {} if path.endswith("events") else {"Idempotency-Key": key}
        for _ in range(400):
            try:
                if self.send(path, body, header) in (200, 201):
                    return True
            except OSError:
                pass
            except http.client.HTTPException:
                pass
            time.sleep(0.05)
        return False

    def send(self, path: str, body: Any, header: dict[str, str]) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.ground.port, timeout=10)
        try:
            headers = {"Content-Type": "application/json", "X-NullSpend-Key": self.ground.key, **header}
            connection.request("POST", path, json.dumps(body), headers)
            reply = connection.getresponse()
            reply.read()
            return reply.status
        finally:
            connection.close()


@dataclass
class Ground:
    port: int
    key: str
    stopping: threading.Event = field(default_factory=threading.Event)


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path)
    found = connection.execute(sql).fetchall()
    connection.close()
    return found


def budgets(daemon: Daemon) -> None:
    key_id = daemon.call("GET", "/api/auth/introspect", auth="key").json["keyId"]
    owner = daemon.state["owner"]["userId"]
    wanted = [("user", owner), ("api_key", key_id), ("tag", "team=x"), ("tag", "customer=acme"), ("customer", "acme")]
    for entity_type, entity_id in wanted:
        body = {"entityType": entity_type, "entityId": entity_id, "maxBudgetMicrodollars": 10_000_000}
        assert daemon.call("POST", "/api/budgets", body).status == 201


@pytest.mark.slow
def test_no_acknowledged_event_is_lost_doubled_or_charged_twice(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    daemon = start_daemon(machine)
    budgets(daemon)
    port = urlsplit(daemon.url).port
    assert port
    ground = Ground(port, daemon.key)
    clients = [Client(ground, seed) for seed in range(CLIENTS)]
    for client in clients:
        client.start()
    kills, ends = 0, time.monotonic() + 300
    while (kills < KILLS or sum(len(client.acknowledged) for client in clients) < EVENTS) and time.monotonic() < ends:
        time.sleep(random.Random(kills).uniform(0.1, 0.5))
        if kills < KILLS:
            daemon.end(signal.SIGKILL)
            kills += 1
            daemon = start_daemon(machine, "--port", str(port))
    ground.stopping.set()
    for client in clients:
        client.join(30)
    acknowledged = {key: cost for client in clients for key, cost in client.acknowledged.items()}
    assert kills == KILLS
    assert len(acknowledged) >= EVENTS
    assert daemon.call("POST", "/_local/check", {}, auth="admin").json == {"ok": True, "differences": []}
    shown = {
        (budget["entityType"], budget["entityId"]): budget["spendMicrodollars"]
        for budget in daemon.call("GET", "/api/budgets").json["data"]
    }
    daemon.end()

    path = machine.data / "nullspend.db"
    assert rows(path, "PRAGMA quick_check") == [("ok",)]
    assert rows(path, "PRAGMA foreign_key_check") == []
    stored = rows(path, "SELECT request_id, cost_microdollars, json_extract(tags, '$.team') FROM cost_events")
    assert len({request_id for request_id, _, _ in stored}) == len(stored)
    by_request = {request_id: cost for request_id, cost, _ in stored}
    assert {key: by_request.get(key) for key in acknowledged} == acknowledged
    total = sum(cost for _, cost, _ in stored)
    team_x = sum(cost for _, cost, team in stored if team == "x")
    assert {entity: spend for entity, spend in shown.items() if entity[0] in ("user", "api_key", "customer")} == {
        entity: total for entity in shown if entity[0] in ("user", "api_key", "customer")
    }
    assert (shown["tag", "team=x"], shown["tag", "customer=acme"]) == (team_x, total)
    staged = rows(path, "SELECT count(*) FROM outbox WHERE type = 'cost_event.created'")
    assert staged == [(len(stored),)], "one event for the world for each stored one"
