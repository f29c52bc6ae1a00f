"""Deliveries to real receivers: those that answer, fail, hang, redirect, close, and those a name should not lead to."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from nullspend_daemon.contract.events import CATALOGUE
from tests.conftest import StartDaemon
from tests.fakes.receiver import CLOSE, HANG, Receiver, receiver
from tests.listening import Listener
from tests.machine import Daemon
from tests.recipes import HAS_NODE, hold_in_node, holds_in_python

EVENT = {"provider": "openai", "model": "gpt-4o", "inputTokens": 3, "outputTokens": 4, "costMicrodollars": 50}
SECONDS = 1_000
HOUR = 3_600 * SECONDS


@pytest.fixture
def receive() -> Iterator[Any]:
    """Makes receivers that end with the test."""
    with ExitStack() as stack:
        yield lambda *script: stack.enter_context(receiver(*script))


def create(daemon: Daemon, url: str, *types: str, **body: Any) -> dict[str, Any]:
    reply = daemon.call("POST", "/api/webhooks", {"url": url, "eventTypes": list(types), **body})
    assert reply.status == 201, reply.body
    return reply.json["data"]


def trigger(daemon: Daemon, event_type: str = "budget.reset", **content: Any) -> str:
    reply = daemon.call("POST", "/_local/trigger", {"type": event_type, "object": content}, auth="admin")
    assert reply.status == 201, reply.body
    return reply.json["eventId"]


def deliveries(daemon: Daemon, webhook: dict[str, Any]) -> list[dict[str, Any]]:
    return daemon.call("GET", f"/api/webhooks/{webhook['id']}/deliveries").json["data"]


def settled(daemon: Daemon, webhook: dict[str, Any], *statuses: str) -> list[dict[str, Any]]:
    """The deliveries, newest first, once they have these statuses."""
    for _ in range(600):
        found = deliveries(daemon, webhook)
        if [row["status"] for row in found] == list(statuses):
            return found
        time.sleep(0.05)
    raise AssertionError(f"{found} are not {statuses}")


def advance(daemon: Daemon, ms: int) -> None:
    assert daemon.call("POST", "/_local/clock", {"advanceMs": ms}, auth="admin").status == 200


def signing_times(there: Receiver) -> list[int]:
    """When each message was signed, in seconds after the first."""
    return [each.timestamp - there.received[0].timestamp for each in there.received]


def test_an_event_arrives_signed_with_all_its_headers(daemon: Daemon, receive: Any) -> None:
    there = receive()
    webhook = create(daemon, there.url, "cost_event.created")
    daemon.call("POST", "/api/cost-events", {**EVENT, "idempotencyKey": "r1"}, auth="key")
    (message,) = there.wait_for(1)
    assert message.path == "/hooks"
    assert message.headers["content-type"] == "application/json"
    assert message.headers["user-agent"] == "NullSpend-Webhooks/1.0"
    assert message.headers["x-nullspend-signature"].startswith(f"t={message.timestamp},v1=")
    assert message.body.startswith(b'{"id":"evt_')
    assert set(message.json) == {"id", "type", "api_version", "created_at", "data"}
    assert message.json["id"] == message.id
    assert message.json["data"]["object"]["request_id"] == "r1"
    assert holds_in_python(message, webhook["signingSecret"], 300)
    assert not holds_in_python(message, "whsec_" + "0" * 64)
    (row,) = settled(daemon, webhook, "delivered")
    assert row.keys() == {
        *("id", "eventType", "eventId", "status", "attempts", "lastAttemptAt", "responseStatus", "createdAt")
    }
    assert row["id"].startswith("ns_del_")
    assert (row["eventType"], row["eventId"], row["attempts"]) == ("cost_event.created", message.id, 1)
    assert row["responseStatus"] == 200


@pytest.mark.skipif(not HAS_NODE, reason="node is needed to run the recipe for it")
def test_whoever_causes_an_event_finds_its_delivery_at_once(daemon: Daemon, receive: Any) -> None:
    webhook = create(daemon, receive().url, "budget.reset")
    for expected in range(1, 21):
        event_id = trigger(daemon)
        found = deliveries(daemon, webhook)
        assert (len(found), found[0]["eventId"]) == (expected, event_id)


def test_the_recipe_for_node_takes_what_was_signed_and_nothing_else(daemon: Daemon, receive: Any) -> None:
    there = receive()
    webhook = create(daemon, there.url, "test.ping")
    trigger(daemon, "test.ping", message='ü " \\ 漢字')
    (message,) = there.wait_for(1)
    secret = webhook["signingSecret"]
    changed = type(message)(message.path, message.headers, message.body + b" ", message.at)
    assert hold_in_node([(message, secret), (message, secret[:-1]), (changed, secret)], 300) == [True, False, False]
    assert holds_in_python(message, secret, 300)


def test_only_what_an_endpoint_wants_is_sent_and_nothing_while_it_is_disabled(daemon: Daemon, receive: Any) -> None:
    some, all_, off = receive(), receive(), receive()
    create(daemon, some.url, "budget.reset", "action.expired")
    create(daemon, all_.url)
    disabled = create(daemon, off.url)
    daemon.call("PATCH", f"/api/webhooks/{disabled['id']}", {"enabled": False})
    for event_type in ("budget.exceeded", "budget.reset", "velocity.exceeded", "action.expired"):
        trigger(daemon, event_type)
    assert {each.json["type"] for each in some.wait_for(2)} == {"budget.reset", "action.expired"}
    assert len({each.json["type"] for each in all_.wait_for(4)}) == 4
    assert (len(some.received), off.received) == (2, [])
    assert deliveries(daemon, disabled) == []


def test_every_type_of_the_catalogue_can_be_fired_with_all_its_keys(daemon: Daemon, receive: Any) -> None:
    there = receive()
    create(daemon, there.url)
    for event_type in CATALOGUE:
        trigger(daemon, event_type)
    arrived = {each.json["type"]: each.json["data"]["object"] for each in there.wait_for(len(CATALOGUE))}
    assert {event_type: tuple(sorted(content)) for event_type, content in arrived.items()} == {
        event_type: tuple(sorted(keys)) for event_type, keys in CATALOGUE.items()
    }


def test_a_fired_event_takes_other_values_inside_objects_too(daemon: Daemon, receive: Any) -> None:
    there = receive()
    create(daemon, there.url, "margin.threshold_crossed")
    trigger(daemon, "margin.threshold_crossed", period="2026-01", margin={"current": -0.5}, extra=[1])
    content = there.wait_for(1)[0].json["data"]["object"]
    assert (content["period"], content["extra"], content["margin"]["current"]) == ("2026-01", [1], -0.5)
    assert content["margin"]["previousTier"] == "healthy"


def test_thin_cost_events_say_where_they_can_be_fetched_and_other_events_are_full(daemon: Daemon, receive: Any) -> None:
    there = receive()
    create(daemon, there.url, "cost_event.created", "test.ping", payloadMode="thin")
    event = {**EVENT, "provider": "a&b=c ü", "idempotencyKey": "r/1?x=ü&"}
    made = daemon.call("POST", "/api/cost-events", event, auth="key").json["data"]["id"]
    (message,) = there.wait_for(1)
    related = message.json["related_object"]
    assert set(message.json) == {"id", "type", "api_version", "created_at", "related_object"}
    assert (related["id"], related["type"]) == ("r/1?x=ü&", "cost_event")
    found = daemon.call("GET", related["url"], auth=None, headers={"Authorization": f"Bearer {daemon.key}"})
    assert [row["id"] for row in found.json["data"]] == [made]
    trigger(daemon, "test.ping")
    assert there.wait_for(2)[1].json["data"] == {"object": {"message": "Test webhook event"}}


def test_a_receiver_that_fails_gets_the_whole_back_off_and_then_it_is_a_dead_letter(
    start: StartDaemon, receive: Any
) -> None:
    daemon = start("--test-clock")
    there = receive(500)
    webhook = create(daemon, there.url, "budget.reset")
    event_id = trigger(daemon)
    there.wait_for(1)
    for number, seconds in enumerate((10, 20, 40, 80, 160), start=2):
        advance(daemon, seconds * SECONDS)
        assert len(there.received) == number, "tried before the reply"
    assert signing_times(there) == [0, 10, 30, 70, 150, 310]
    assert there.ids == [event_id] * 6
    assert all(holds_in_python(each, webhook["signingSecret"]) for each in there.received)
    (row,) = deliveries(daemon, webhook)
    assert (row["status"], row["attempts"], row["responseStatus"]) == ("failed", 6, 500)
    advance(daemon, 24 * HOUR)
    assert len(there.received) == 6


def test_one_step_of_the_clock_goes_through_every_attempt_on_its_way(start: StartDaemon, receive: Any) -> None:
    daemon = start("--test-clock")
    there = receive(500, 503, 404, 429, CLOSE, 201)
    webhook = create(daemon, there.url, "budget.reset")
    trigger(daemon)
    there.wait_for(1)
    advance(daemon, 310 * SECONDS)
    assert signing_times(there) == [0, 10, 30, 70, 150, 310]
    (row,) = deliveries(daemon, webhook)
    assert (row["status"], row["attempts"], row["responseStatus"]) == ("delivered", 6, 201)


def test_a_dead_letter_is_sent_again_on_request_to_its_endpoint_and_to_listeners(
    start: StartDaemon, receive: Any
) -> None:
    daemon = start("--test-clock")
    there, other = receive(*[500] * 6, 200), receive()
    webhook = create(daemon, there.url, "budget.reset")
    create(daemon, other.url, "budget.reset")
    event_id = trigger(daemon)
    there.wait_for(1)
    advance(daemon, 310 * SECONDS)
    (dead,) = settled(daemon, webhook, "failed")
    asking, not_asking = Listener(daemon, "?resent=true"), Listener(daemon)
    again = daemon.call("POST", f"/_local/deliveries/{dead['id']}/resend", auth="admin")
    assert again.status == 202
    fresh, _ = settled(daemon, webhook, "delivered", "failed")
    assert (fresh["id"], fresh["eventId"], fresh["attempts"]) == (again.json["id"], event_id, 1)
    first, last = there.received[0], there.received[-1]
    assert (last.id, last.body) == (event_id, first.body)
    assert last.timestamp > first.timestamp
    assert holds_in_python(last, webhook["signingSecret"])
    assert asking.next().envelope["id"] == event_id
    assert not_asking.is_silent(0.2), "figures are made from what happened, not from what is told again"
    assert len(other.received) == 1
    asking.close()
    not_asking.close()


def test_a_delivery_that_is_not_there_cannot_be_resent(daemon: Daemon) -> None:
    missing = "/_local/deliveries/ns_del_019a0000-0000-7000-8000-000000000000/resend"
    assert daemon.call("POST", missing, auth="admin").status == 404
    assert daemon.call("POST", missing).status == 401


def test_a_ping_is_never_tried_again(daemon: Daemon, receive: Any) -> None:
    there = receive(500)
    webhook = create(daemon, there.url, "test.ping")
    trigger(daemon, "test.ping")
    (row,) = settled(daemon, webhook, "failed")
    assert (row["attempts"], row["responseStatus"]) == (1, 500)


def test_after_a_rotation_both_secrets_sign_for_a_day(start: StartDaemon, receive: Any) -> None:
    daemon = start("--test-clock")
    there = receive()
    webhook = create(daemon, there.url, "budget.reset")
    path = f"/api/webhooks/{webhook['id']}/rotate-secret"
    old, new = webhook["signingSecret"], daemon.call("POST", path).json["data"]["signingSecret"]
    advance(daemon, 24 * HOUR - 60 * SECONDS)
    trigger(daemon)
    both = there.wait_for(1)[0]
    assert both.headers["x-nullspend-signature"].count("v1=") == 2
    assert holds_in_python(both, old) and holds_in_python(both, new)
    advance(daemon, 60 * SECONDS)
    trigger(daemon)
    after = there.wait_for(2)[1]
    assert after.headers["x-nullspend-signature"].count("v1=") == 1
    assert holds_in_python(after, new) and not holds_in_python(after, old)
    newest = daemon.call("POST", path).json["data"]["signingSecret"]
    final = daemon.call("POST", path).json["data"]["signingSecret"]
    trigger(daemon)
    last = there.wait_for(3)[2]
    assert holds_in_python(last, final) and holds_in_python(last, newest) and not holds_in_python(last, new)


def test_a_receiver_that_hangs_delays_nobody_else(daemon: Daemon, receive: Any) -> None:
    hangs, answers = receive(HANG), receive()
    create(daemon, hangs.url, "action.expired")
    create(daemon, answers.url, "action.expired")
    for _ in range(20):
        trigger(daemon, "action.expired")
    answers.wait_for(20)
    assert len(set(answers.ids)) == 20
    assert len(hangs.received) == 4, "a few at once, and the others wait for them"


def test_silence_counts_as_a_failure_after_five_seconds(daemon: Daemon, receive: Any) -> None:
    there = receive(HANG, 200)
    webhook = create(daemon, there.url, "velocity.recovered")
    trigger(daemon, "velocity.recovered")
    there.wait_for(1)
    for _ in range(300):
        (row,) = deliveries(daemon, webhook)
        if row["attempts"]:
            break
        time.sleep(0.05)
    assert (row["status"], row["attempts"], row["responseStatus"]) == ("pending", 1, None)


def test_a_redirect_is_a_failure_and_is_not_followed(daemon: Daemon, receive: Any) -> None:
    target = receive()
    there = receive(target.url)
    webhook = create(daemon, there.url, "test.ping")
    trigger(daemon, "test.ping")
    (row,) = settled(daemon, webhook, "failed")
    assert row["responseStatus"] == 307
    assert target.received == []


def test_what_waits_for_a_disabled_endpoint_ends_and_can_be_resent(daemon: Daemon, receive: Any) -> None:
    there = receive(500, 200)
    webhook = create(daemon, there.url, "budget.increased")
    trigger(daemon, "budget.increased")
    there.wait_for(1)
    settled(daemon, webhook, "pending")
    daemon.call("PATCH", f"/api/webhooks/{webhook['id']}", {"enabled": False})
    (row,) = settled(daemon, webhook, "failed")
    assert daemon.call("POST", f"/_local/deliveries/{row['id']}/resend", auth="admin").status == 202
    settled(daemon, webhook, "delivered", "failed")


def test_a_changed_address_counts_for_the_next_attempt(start: StartDaemon, receive: Any) -> None:
    daemon = start("--test-clock")
    before, after = receive(500), receive()
    webhook = create(daemon, before.url, "budget.reset")
    event_id = trigger(daemon)
    before.wait_for(1)
    daemon.call("PATCH", f"/api/webhooks/{webhook['id']}", {"url": after.url})
    advance(daemon, 10 * SECONDS)
    assert (len(before.received), after.ids) == (1, [event_id])


def test_a_deleted_endpoint_gets_nothing_more(start: StartDaemon, receive: Any) -> None:
    daemon = start("--test-clock")
    there = receive(500)
    webhook = create(daemon, there.url, "budget.reset")
    trigger(daemon)
    there.wait_for(1)
    daemon.call("DELETE", f"/api/webhooks/{webhook['id']}")
    advance(daemon, HOUR)
    assert len(there.received) == 1
    assert daemon.call("GET", "/_local/info", auth="admin").json["counts"]["pendingDeliveries"] == 0


def test_the_back_off_goes_on_over_a_restart(start: StartDaemon, receive: Any) -> None:
    there = receive(500)
    daemon = start("--test-clock")
    webhook = create(daemon, there.url, "budget.reset")
    trigger(daemon)
    there.wait_for(1)
    advance(daemon, 10 * SECONDS)
    assert daemon.end() == 0
    daemon = start("--test-clock")
    assert daemon.call("GET", "/_local/info", auth="admin").json["counts"]["pendingDeliveries"] == 1
    assert len(there.received) == 2
    advance(daemon, 20 * SECONDS)
    assert len(there.received) == 3
    (row,) = deliveries(daemon, webhook)
    assert (row["status"], row["attempts"]) == ("pending", 3)


def test_deliveries_that_are_over_go_after_a_week_and_their_events_with_them(start: StartDaemon, receive: Any) -> None:
    daemon = start("--test-clock")
    there = receive()
    webhook = create(daemon, there.url, "budget.reset")
    trigger(daemon)
    settled(daemon, webhook, "delivered")
    advance(daemon, 6 * 24 * HOUR)
    assert len(deliveries(daemon, webhook)) == 1
    advance(daemon, 25 * HOUR)
    assert deliveries(daemon, webhook) == []


NAMES = """\
import os, socket
_real, _names = socket.getaddrinfo, dict(pair.split("=") for pair in os.environ["TEST_NAMES"].split(";"))
def getaddrinfo(host, port, *rest, **options):
    found = _names.get(host)
    if found is None:
        return _real(host, port, *rest, **options)
    return [answer for address in found.split(",") for answer in _real(address, port, *rest, **options)]
socket.getaddrinfo = getaddrinfo
"""


@pytest.fixture
def named(start: StartDaemon, tmp_path: Path) -> Daemon:
    """A daemon whose machine resolves a few names to what a hostile name server would say."""
    (tmp_path / "sitecustomize.py").write_text(NAMES)
    from tests.machine import ROOT

    names = "good.test=127.0.0.1;private.test=10.0.0.7;mixed.test=127.0.0.1,10.0.0.7;metadata.test=169.254.169.254"
    path = f"{tmp_path}:{ROOT}:{ROOT / 'daemon'}"
    proxy = "http://127.0.0.1:9"
    return start(env={"TEST_NAMES": names, "PYTHONPATH": path, "HTTP_PROXY": proxy, "http_proxy": proxy})


def test_a_name_that_leads_to_a_private_address_is_refused_at_every_attempt(named: Daemon, receive: Any) -> None:
    there = receive()
    token = {"Authorization": f"Bearer {named.state['adminToken']}"}
    good = create(named, f"http://good.test:{there.port}/hooks", "test.ping")
    trigger(named, "test.ping")
    settled(named, good, "delivered")
    said = {}
    for name in ("private", "mixed", "metadata"):
        webhook = create(named, f"http://{name}.test:{there.port}/hooks", "budget.reset")
        said[name] = named.call("POST", f"/api/webhooks/{webhook['id']}/test", headers=token).json["responsePreview"]
    assert said == {
        "private": "not allowed: 10.0.0.7 is a private or reserved address",
        "mixed": "not allowed: 10.0.0.7 is a private or reserved address",
        "metadata": "not allowed: 169.254.169.254 is a link-local address",
    }
    itself = create(named, f"http://good.test:{named.url.rpartition(':')[2]}/hooks", "budget.reset")
    own = named.call("POST", f"/api/webhooks/{itself['id']}/test", headers=token).json
    assert "this daemon itself" in own["responsePreview"]
    unknown = create(named, "https://nowhere.invalid/hooks", "budget.reset")
    lost = named.call("POST", f"/api/webhooks/{unknown['id']}/test", headers=token).json
    assert (lost["success"], lost["statusCode"]) == (False, None)
    assert len(there.received) == 1
