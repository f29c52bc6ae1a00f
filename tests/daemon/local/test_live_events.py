"""GET /_local/events: every event as it is committed, from any place in the log, at no cost while nothing happens."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import StartDaemon
from tests.listening import Listener
from tests.machine import Daemon

EVENT = {"provider": "openai", "model": "gpt-4o", "inputTokens": 3, "outputTokens": 4, "costMicrodollars": 50}


@pytest.fixture
def listen() -> Iterator[type[Listener]]:
    """Makes listeners that go away with the test."""
    made: list[Listener] = []

    def one(daemon: Daemon, query: str = "", headers: dict[str, str] | None = None) -> Listener:
        made.append(Listener(daemon, query, headers))
        return made[-1]

    yield one  # type: ignore[misc]
    for listener in made:
        listener.close()


def report(daemon: Daemon, key: str) -> None:
    assert daemon.call("POST", "/api/cost-events", {**EVENT, "idempotencyKey": key}, auth="key").status == 201


def request_ids(listener: Listener, count: int) -> list[str]:
    return [heard.object["request_id"] for heard in listener.take(count)]


def test_a_listener_hears_what_happens_from_now_on_as_the_envelope_of_a_webhook(
    daemon: Daemon, listen: type[Listener]
) -> None:
    report(daemon, "before")
    listener = listen(daemon)
    assert listener.reply.getheader("Content-Type") == "text/event-stream"
    assert listener.reply.getheader("NullSpend-Version") == "2026-04-01"
    report(daemon, "now")
    heard = listener.next()
    assert heard.type == "cost_event.created"
    assert set(heard.envelope) == {"id", "type", "api_version", "created_at", "data"}
    assert heard.envelope["id"].startswith("evt_")
    assert (heard.envelope["type"], heard.envelope["api_version"]) == ("cost_event.created", "2026-04-01")
    assert abs(heard.envelope["created_at"] - time.time()) < 60
    assert heard.object["request_id"] == "now"
    assert heard.object["cost_microdollars"] == 50
    assert " " not in heard.text.replace("gpt-4o", "")


def test_a_listener_that_comes_back_misses_nothing_and_hears_nothing_twice(
    daemon: Daemon, listen: type[Listener]
) -> None:
    first = listen(daemon)
    report(daemon, "a1")
    last = first.next().seq
    first.close()
    report(daemon, "a2")
    report(daemon, "a3")
    assert request_ids(listen(daemon, headers={"Last-Event-ID": str(last)}), 2) == ["a2", "a3"]
    assert request_ids(listen(daemon, f"?after={last}"), 2) == ["a2", "a3"]
    both = listen(daemon, "?after=0", {"Last-Event-ID": str(last)})
    assert request_ids(both, 2) == ["a2", "a3"], "the header of a reconnecting client counts"


def test_a_listener_that_has_heard_nothing_yet_knows_where_it_stands(daemon: Daemon, listen: type[Listener]) -> None:
    quiet = listen(daemon, "?types=test.ping")
    quiet.close()
    report(daemon, "meanwhile")
    assert request_ids(listen(daemon, headers={"Last-Event-ID": str(quiet.stands_at)}), 1) == ["meanwhile"]


def test_zero_is_the_whole_log_and_a_time_is_the_log_since_then(daemon: Daemon, listen: type[Listener]) -> None:
    report(daemon, "b1")
    time.sleep(0.02)
    since = daemon.call("GET", "/_local/info", auth=None).json["now"]
    time.sleep(0.02)
    report(daemon, "b2")
    everything = listen(daemon, "?after=0&types=cost_event.created")
    ids = [everything.next().object["request_id"]]
    while ids[-1] != "b2":
        ids.append(everything.next().object["request_id"])
    assert ids[-2:] == ["b1", "b2"]
    assert request_ids(listen(daemon, f"?since={since}"), 1) == ["b2"]


def test_a_number_beyond_the_log_is_now(daemon: Daemon, listen: type[Listener]) -> None:
    listener = listen(daemon, "?after=999999999")
    report(daemon, "c1")
    assert request_ids(listener, 1) == ["c1"]


def test_only_the_wanted_types_and_the_wanted_organization_are_sent(daemon: Daemon, listen: type[Listener]) -> None:
    key = daemon.call("POST", "/api/keys", {"name": "limited"}).json
    body = {"entityType": "api_key", "entityId": key["id"], "maxBudgetMicrodollars": 100}
    daemon.call("POST", "/api/budgets", body)
    alerts = listen(daemon, "?types=budget.threshold.warning,budget.exceeded")
    mine = listen(daemon, f"?orgId={daemon.state['owner']['orgId']}")
    nobodys = listen(daemon, "?orgId=ns_org_019a0000-0000-7000-8000-000000000000")
    event = {**EVENT, "costMicrodollars": 60}
    daemon.call("POST", "/api/cost-events", event, auth=None, headers={"X-NullSpend-Key": key["rawKey"]})
    heard = alerts.next()
    assert (heard.type, heard.object["threshold_percent"]) == ("budget.threshold.warning", 50)
    assert mine.next().type == "cost_event.created"
    assert nobodys.is_silent()


@pytest.mark.parametrize(
    ("query", "headers", "path"),
    [
        ("?after=x", {}, ["after"]),
        ("?after=-1", {}, ["after"]),
        ("?types=budget.nonsense", {}, ["types"]),
        ("?since=yesterday", {}, ["since"]),
        ("?orgId=acme", {}, ["orgId"]),
        ("", {"Last-Event-ID": "evt_1"}, ["Last-Event-ID"]),
    ],
)
def test_a_place_that_is_none_is_refused_in_the_envelope(
    daemon: Daemon, query: str, headers: dict[str, str], path: list[str]
) -> None:
    reply = daemon.call("GET", f"/_local/events{query}", auth="admin", headers=headers)
    assert (reply.status, reply.json["error"]["code"]) == (400, "validation_error")
    assert reply.json["error"]["details"]["issues"][0]["path"] == path


def test_the_admin_token_is_needed(daemon: Daemon) -> None:
    for auth in (None, "session", "key"):
        assert daemon.call("GET", "/_local/events", auth=auth).status == 401


def test_a_stopping_daemon_ends_the_streams_and_is_not_held_up_by_them(
    start: StartDaemon, listen: type[Listener]
) -> None:
    daemon = start()
    listeners = [listen(daemon) for _ in range(3)]
    report(daemon, "last")
    assert [listener.next().object["request_id"] for listener in listeners] == ["last"] * 3
    began = time.monotonic()
    assert daemon.end() == 0
    assert time.monotonic() - began < 9, "the grace of running requests is 10 s"
    assert all(listener.ended() for listener in listeners)


def test_a_stream_that_nobody_reads_does_not_hold_up_the_end(start: StartDaemon, listen: type[Listener]) -> None:
    daemon = start()
    long = [{**EVENT, "model": "m" * 200, "tags": {f"k{n}": "v" * 256 for n in range(10)}} for _ in range(100)]
    for _ in range(20):
        assert daemon.call("POST", "/api/cost-events/batch", {"events": long}, auth="key").status == 201
    credential = {"Authorization": f"Bearer {daemon.state['adminToken']}"}
    address = urlsplit(daemon.url)
    with socket.create_connection((str(address.hostname), int(address.port or 0))) as stalled:
        lines = [f"GET /_local/events?after=0 HTTP/1.1\r\nHost: {address.netloc}"]
        lines += [f"{name}: {value}" for name, value in credential.items()]
        stalled.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        assert stalled.recv(10).startswith(b"HTTP/1.1 2")
        began = time.monotonic()
        assert daemon.end() == 0
        assert time.monotonic() - began < 9


def test_listeners_cost_nothing_while_nothing_happens(start: StartDaemon, listen: type[Listener]) -> None:
    daemon = start()
    listeners = [listen(daemon) for _ in range(20)]
    time.sleep(0.5)
    before = cpu_ticks(daemon.process.pid)
    time.sleep(1.5)
    assert cpu_ticks(daemon.process.pid) - before <= 15, "hundredths of a second of CPU"
    assert all(listener.is_silent(0.01) for listener in listeners)


def cpu_ticks(pid: int) -> int:
    """CPU a process has used, user and system, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
