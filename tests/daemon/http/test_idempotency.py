"""A repeated request has one effect: stored replies, and rows that are there already."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.conftest import StartDaemon
from tests.machine import Daemon, Reply

EVENT = {"provider": "p", "model": "m", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": 7}


def report(daemon: Daemon, key: str | None, body: object = EVENT, path: str = "/api/cost-events") -> Reply:
    headers = {} if key is None else {"Idempotency-Key": key}
    return daemon.call("POST", path, body, auth="key", headers=headers)


def stored(daemon: Daemon, request_id: str) -> int:
    return len(daemon.call("GET", f"/api/cost-events?requestId={request_id}", auth="key").json["data"])


def test_a_repeat_replays_the_first_reply_with_200_and_a_header(daemon: Daemon) -> None:
    first, second = report(daemon, "replay-1"), report(daemon, "replay-1")
    assert (first.status, second.status) == (201, 200)
    assert first.body == second.body
    assert "x-idempotent-replayed" not in first.headers
    assert second.headers["x-idempotent-replayed"] == "true"
    assert second.headers["x-ratelimit-limit"] == "100000"
    assert stored(daemon, "replay-1") == 1


def test_a_replay_neither_validates_nor_compares_the_body(daemon: Daemon) -> None:
    first = report(daemon, "replay-2")
    for body in (b"{broken", {"provider": 5}, {**EVENT, "costMicrodollars": 9}):
        again = report(daemon, "replay-2", body)
        assert (again.status, again.body) == (200, first.body)


def test_a_batch_replays_too_with_the_ids_of_the_first_time(daemon: Daemon) -> None:
    batch = {"events": [EVENT, EVENT]}
    first = report(daemon, "batch-1", batch, "/api/cost-events/batch")
    again = report(daemon, "batch-1", batch, "/api/cost-events/batch")
    assert (first.status, first.json["inserted"]) == (201, 2)
    assert (again.status, again.json) == (200, first.json)


def test_only_success_is_stored_so_a_refused_request_may_be_mended(daemon: Daemon) -> None:
    assert report(daemon, "mended", {**EVENT, "model": ""}).status == 400
    assert report(daemon, "mended").status == 201


def test_the_same_key_means_something_else_on_another_path_and_for_another_api_key(daemon: Daemon) -> None:
    other = daemon.call("POST", "/api/keys", {"name": "other"}).json["rawKey"]
    assert report(daemon, "scope").status == 201
    assert report(daemon, "scope", {"events": [EVENT]}, "/api/cost-events/batch").status == 201
    theirs = daemon.call(
        "POST",
        "/api/cost-events",
        {**EVENT, "provider": "q"},
        auth=None,
        headers={"X-NullSpend-Key": other, "Idempotency-Key": "scope"},
    )
    assert (theirs.status, "x-idempotent-replayed" in theirs.headers) == (201, False)


def test_a_revoked_key_gets_no_replay(daemon: Daemon) -> None:
    made = daemon.call("POST", "/api/keys", {"name": "short"}).json
    headers = {"X-NullSpend-Key": made["rawKey"], "Idempotency-Key": "revoked"}
    assert daemon.call("POST", "/api/cost-events", EVENT, auth=None, headers=headers).status == 201
    daemon.call("DELETE", f"/api/keys/{made['id']}")
    assert daemon.call("POST", "/api/cost-events", EVENT, auth=None, headers=headers).status == 401


@pytest.mark.parametrize(("length", "status"), [(0, 400), (1, 201), (200, 201), (201, 400)])
def test_a_key_has_1_to_200_characters(daemon: Daemon, length: int, status: int) -> None:
    reply = report(daemon, "k" * length)
    assert reply.status == status
    if status == 400:
        assert reply.json["error"]["code"] == "validation_error"


def test_replies_outlive_a_restart(start: StartDaemon) -> None:
    first_daemon = start()
    first = report(first_daemon, "durable")
    first_daemon.end()
    again = report(start(), "durable")
    assert (again.status, again.body) == (200, first.body)


def test_replies_lapse_after_24_hours_and_rows_do_not(start: StartDaemon) -> None:
    daemon = start("--test-clock")
    first = report(daemon, "day-old")
    daemon.call("POST", "/_local/clock", {"advanceMs": 24 * 3_600_000}, auth="admin")
    again = report(daemon, "day-old")
    assert again.status == 200, "the row is still there"
    assert "x-idempotent-replayed" not in again.headers
    assert again.json == first.json


def test_concurrent_duplicates_have_one_effect_and_one_reply(daemon: Daemon) -> None:
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: report(daemon, "race"), range(16)))
    assert sorted(reply.status for reply in replies) == [200] * 15 + [201]
    assert len({reply.body for reply in replies}) == 1
    assert stored(daemon, "race") == 1


def test_a_duplicate_of_a_request_that_does_not_finish_is_told_to_come_back(start: StartDaemon) -> None:
    daemon = start()
    blocker = sqlite3.connect(daemon.data / "nullspend.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    try:
        with ThreadPoolExecutor(2) as pool:
            replies = [future.result() for future in [pool.submit(report, daemon, "stuck") for _ in range(2)]]
    finally:
        blocker.execute("ROLLBACK")
        blocker.close()
    codes = sorted(reply.json["error"]["code"] for reply in replies)
    assert codes == ["request_in_progress", "service_unavailable"]
    waiting = next(reply for reply in replies if reply.json["error"]["code"] == "request_in_progress")
    assert (waiting.status, waiting.headers["retry-after"]) == (503, "1")
    assert report(daemon, "stuck").status == 201


def test_a_body_key_makes_the_row_unique_without_a_stored_reply(daemon: Daemon) -> None:
    body = {**EVENT, "idempotencyKey": "row-1"}
    first, again = report(daemon, None, body), report(daemon, None, body)
    assert (first.status, again.status, again.json) == (201, 200, first.json)
    assert "x-idempotent-replayed" not in again.headers
    assert stored(daemon, "row-1") == 1


def test_the_header_names_the_row_before_the_body_does(daemon: Daemon) -> None:
    report(daemon, "from-header", {**EVENT, "idempotencyKey": "from-body"})
    assert (stored(daemon, "from-header"), stored(daemon, "from-body")) == (1, 0)


def test_a_row_is_unique_for_its_provider_only(daemon: Daemon) -> None:
    assert report(daemon, None, {**EVENT, "idempotencyKey": "row-2"}).status == 201
    assert report(daemon, None, {**EVENT, "idempotencyKey": "row-2", "provider": "q"}).status == 201


def test_an_empty_body_key_is_none(daemon: Daemon) -> None:
    body = {**EVENT, "idempotencyKey": ""}
    assert [report(daemon, None, body).status for _ in range(2)] == [201, 201]


def test_duplicates_within_a_batch_are_skipped_and_the_header_is_no_row_key(daemon: Daemon) -> None:
    twice = {**EVENT, "idempotencyKey": "in-batch"}
    reply = report(daemon, "batch-header", {"events": [twice, twice, EVENT]}, "/api/cost-events/batch")
    assert (reply.json["inserted"], len(reply.json["ids"])) == (2, 2)
    assert (stored(daemon, "in-batch"), stored(daemon, "batch-header")) == (1, 0)


def test_a_repeated_batch_of_known_rows_inserts_nothing_and_is_still_created(daemon: Daemon) -> None:
    batch = {"events": [{**EVENT, "idempotencyKey": "known"}]}
    report(daemon, None, batch, "/api/cost-events/batch")
    again = report(daemon, None, batch, "/api/cost-events/batch")
    assert (again.status, again.json) == (201, {"inserted": 0, "ids": []})


def test_a_restarted_daemon_still_knows_the_row(start: StartDaemon) -> None:
    daemon = start()
    body = {**EVENT, "idempotencyKey": "kept"}
    report(daemon, None, body)
    daemon.end()
    assert report(start(), None, body).status == 200
