"""Slack: orgs 6. A real receiver stands where Slack would; the daemon posts to it and takes its buttons."""

import hashlib
import hmac
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from tests.conftest import StartDaemon
from tests.fakes.server import FakeServer, Scripted, fake_server
from tests.machine import Daemon, Machine, Reply, start_daemon

HOOK = "https://hooks.slack.com/services/T000/B000/sEcReT123"
PATH = "/services/T000/B000/sEcReT123"
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
EVENT = {"provider": "p", "model": "m", "inputTokens": 1, "outputTokens": 1}


@pytest.fixture(scope="module")
def slack() -> Iterator[FakeServer]:
    with fake_server() as fake:
        yield fake


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, slack: FakeServer) -> Iterator[Daemon]:
    """A daemon whose Slack is the receiver, without a bot token."""
    environment = {
        "NULLSPEND_SLACK_HOST": urlsplit(slack.url).netloc,
        "SLACK_SIGNING_SECRET": SECRET,
        "NULLSPEND_PUBLIC_URL": "https://dash.example.org/",
    }
    running = start_daemon(Machine(tmp_path_factory.mktemp("machine")), "--test-clock", env=environment)
    yield running
    running.end()


@pytest.fixture(autouse=True)
def fresh(request: pytest.FixtureRequest, slack: FakeServer) -> Iterator[None]:
    """A receiver that has heard nothing; what a test leaves unsent is dropped with the configuration."""
    slack.asked.clear()
    slack.answer("POST", PATH, Scripted(200, "ok"))
    daemon = request.getfixturevalue("told") if "told" in request.fixturenames else None
    if daemon:
        set_up(daemon)
    yield
    if daemon:
        daemon.call("DELETE", "/api/slack/config")
        settle(daemon)


def set_up(daemon: Daemon, **fields: Any) -> Reply:
    reply = daemon.call("POST", "/api/slack/config", {"webhookUrl": HOOK, **fields})
    assert reply.status == 200, reply.body
    return reply


def settle(daemon: Daemon, ms: int = 0) -> None:
    """Lets time pass; everything due has been sent when the clock answers."""
    assert daemon.call("POST", "/_local/clock", {"advanceMs": ms}, auth="admin").status == 200


def posted(daemon: Daemon, slack: FakeServer, path: str = PATH) -> list[dict[str, Any]]:
    settle(daemon)
    return [asked.body for asked in slack.asked_for("POST", path)]


def action(daemon: Daemon, **fields: Any) -> str:
    body = {"agentId": "mailer", "actionType": "http_post", "payload": {"url": "https://x.example"}, **fields}
    reply = daemon.call("POST", "/api/actions", body, auth="key")
    assert reply.status == 201, reply.body
    return str(reply.json["id"])


def increase(daemon: Daemon, entity: str) -> str:
    payload = {
        "entityType": "customer",
        "entityId": entity,
        "requestedAmountMicrodollars": 2_500_000,
        "currentLimitMicrodollars": 0,
        "currentSpendMicrodollars": 0,
        "reason": "r" * 600,
    }
    return action(daemon, actionType="budget_increase", payload=payload)


def budget(daemon: Daemon, entity: str, limit: int = 5_000_000) -> None:
    body = {"entityType": "customer", "entityId": entity, "maxBudgetMicrodollars": limit}
    assert daemon.call("POST", "/api/budgets", body).status == 201


def spend(daemon: Daemon, entity: str, cost: int) -> None:
    body = {**EVENT, "costMicrodollars": cost, "customer": entity}
    assert daemon.call("POST", "/api/cost-events", body, auth="key").status == 201


def texts(message: dict[str, Any]) -> list[str]:
    """The fields of a message: `*Name:*` and value on two lines each."""
    return [each["text"] for block in message["blocks"] for each in block.get("fields", [])]


def rows(daemon: Daemon, sql: str, *params: Any) -> list[Any]:
    connection = sqlite3.connect(daemon.data / "nullspend.db")
    try:
        return connection.execute(sql, params).fetchall()
    finally:
        connection.close()


# -- the configuration


def test_the_configuration_is_kept_masked_audited_and_deleted(start: StartDaemon) -> None:
    daemon = start()
    assert daemon.call("GET", "/api/slack/config").json == {"data": None}
    for method, path in (("DELETE", "/api/slack/config"), ("POST", "/api/slack/test")):
        assert (daemon.call(method, path).status, path) == (404, path)
    first = set_up(daemon, channelName="  #money  ", slackUserId="U1", isActive=False).json["data"]
    assert {key: first[key] for key in first if key not in ("id", "createdAt", "updatedAt")} == {
        "webhookUrl": "https://hooks.slack.com/services/****/****/sEcR****",
        "channelName": "#money",
        "slackUserId": "U1",
        "isActive": False,
    }
    second = set_up(daemon).json["data"]
    assert (second["id"], second["createdAt"]) == (first["id"], first["createdAt"])
    assert (second["channelName"], second["slackUserId"], second["isActive"]) == (None, None, True)
    assert daemon.call("GET", "/api/slack/config").json == {"data": second}
    assert daemon.call("DELETE", "/api/slack/config").json == {"success": True}
    assert daemon.call("GET", "/api/slack/config").json == {"data": None}
    audited = rows(daemon, "SELECT action, resource_type, resource_id, metadata FROM audit_log ORDER BY id")
    assert [row for row in audited if row[0].startswith("slack.")] == [
        ("slack.configured", "slack_config", first["id"], '{"channelName":"#money"}'),
        ("slack.configured", "slack_config", first["id"], '{"channelName":null}'),
        ("slack.deleted", "slack_config", first["id"], '{"channelName":null}'),
    ]


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("https://hooks.slack.com/services/T/B/abcdefgh", "https://hooks.slack.com/services/****/****/abcd****"),
        ("https://hooks.slack.com/services/T/B/abc/more", "https://hooks.slack.com/services/****/****/abc****/****"),
        ("https://hooks.slack.com/triggers/T/secret", "https://hooks.slack.com/triggers/****/****"),
        ("https://hooks.slack.com/workflows/secret", "https://hooks.slack.com/workflows/****"),
    ],
)
def test_a_secret_is_never_shown_whole(told: Daemon, url: str, masked: str) -> None:
    assert set_up(told, webhookUrl=url).json["data"]["webhookUrl"] == masked


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"webhookUrl": "http://hooks.slack.com/services/T/B/x"}, ["webhookUrl"]),
        ({"webhookUrl": "https://hooks.slack.com:443/services/T/B/x"}, ["webhookUrl"]),
        ({"webhookUrl": "https://me@hooks.slack.com/services/T/B/x"}, ["webhookUrl"]),
        ({"webhookUrl": "https://hooks.slack.com.evil.example/services/T/B/x"}, ["webhookUrl"]),
        ({"webhookUrl": "https://evil.example/services/T/B/x"}, ["webhookUrl"]),
        ({"webhookUrl": "https://hooks.slack.com/services/T/B/x?a=1"}, ["webhookUrl"]),
        ({"webhookUrl": "https://hooks.slack.com/services/T/B/x?"}, ["webhookUrl"]),
        ({"webhookUrl": "https://hooks.slack.com/services/T/B/x#a"}, ["webhookUrl"]),
        ({"webhookUrl": "https://hooks.slack.com/api/x"}, ["webhookUrl"]),
        ({"webhookUrl": "https://hooks.slack.com\\@evil.example/services/x"}, ["webhookUrl"]),
        ({"webhookUrl": None}, ["webhookUrl"]),
        ({"channelName": None}, ["channelName"]),
        ({"channelName": "c" * 81}, ["channelName"]),
        ({"slackUserId": "  "}, ["slackUserId"]),
        ({"slackUserId": "U" * 31}, ["slackUserId"]),
        ({"isActive": None}, ["isActive"]),
        ({"isActive": "yes"}, ["isActive"]),
    ],
)
def test_what_is_no_place_in_slack_is_refused(told: Daemon, fields: dict[str, Any], path: list[str]) -> None:
    reply = told.call("POST", "/api/slack/config", {"webhookUrl": HOOK, **fields})
    assert (reply.status, reply.json["error"]["code"]) == (400, "validation_error")
    assert [issue["path"] for issue in reply.json["error"]["details"]["issues"]] == [path]


def test_the_stand_in_counts_only_without_hosted(start: StartDaemon, slack: FakeServer) -> None:
    daemon = start("--hosted", env={"NULLSPEND_SLACK_HOST": urlsplit(slack.url).netloc})
    reply = daemon.call("POST", "/api/slack/config", {"webhookUrl": slack.url + PATH})
    assert reply.status == 400


def test_a_trial_is_sent_even_while_slack_is_off(told: Daemon, slack: FakeServer) -> None:
    set_up(told, isActive=False)
    assert told.call("POST", "/api/slack/test").json == {"success": True}
    (asked,) = slack.asked
    assert asked.headers["content-type"] == "application/json"
    assert [block["type"] for block in asked.body["blocks"]] == ["section"]
    assert "<https://dash.example.org/app/inbox|" in asked.body["blocks"][0]["text"]["text"]


@pytest.mark.parametrize(("answer", "status"), [(404, 400), (302, 400), (500, 502), (503, 502)])
def test_a_trial_that_slack_does_not_take_says_so(told: Daemon, slack: FakeServer, answer: int, status: int) -> None:
    slack.answer("POST", PATH, Scripted(answer, "no_service", (("Location", slack.url + "/elsewhere"),)))
    reply = told.call("POST", "/api/slack/test")
    assert (reply.status, reply.json["error"]["code"]) == (status, "slack_webhook_error")
    assert len(slack.asked) == 1, "no second try, no redirect"


def test_a_trial_that_reaches_nobody_is_a_502_without_the_secret(start: StartDaemon) -> None:
    daemon = start(env={"NULLSPEND_SLACK_HOST": "127.0.0.1:1"})
    set_up(daemon)
    reply = daemon.call("POST", "/api/slack/test")
    assert (reply.status, reply.json["error"]["code"]) == (502, "slack_webhook_error")
    assert b"sEcReT" not in reply.body


# -- what is sent when


def test_a_new_action_asks_with_three_buttons(told: Daemon, slack: FakeServer) -> None:
    payload = {"to": "<!channel> & <b>", "n": {"a": 1}, "long": "x" * 150, "fourth": "not shown"}
    made = action(told, agentId="<agent>", payload=payload)
    (message,) = posted(told, slack)
    header, fields, *entries, buttons = message["blocks"]
    assert header["type"] == "header"
    assert texts(message) == ["*Type:*\nhttp_post", "*Agent:*\n&lt;agent&gt;"]
    assert fields["type"] == "section"
    assert [block["text"]["text"] for block in entries] == [
        "*to:* &lt;!channel&gt; &amp; &lt;b&gt;",
        '*n:* {"a":1}',
        "*long:* " + "x" * 100,
    ]
    assert [
        {name: each.get(name) for name in ("action_id", "value", "style", "url")} for each in buttons["elements"]
    ] == [
        {"action_id": "approve_action", "value": made[7:], "style": "primary", "url": None},
        {"action_id": "reject_action", "value": made[7:], "style": "danger", "url": None},
        {
            "action_id": "view_dashboard",
            "value": None,
            "style": None,
            "url": f"https://dash.example.org/app/actions/{made}",
        },
    ]
    assert message["text"]


def test_an_empty_payload_is_named(told: Daemon, slack: FakeServer) -> None:
    action(told, payload={})
    (message,) = posted(told, slack)
    assert message["blocks"][2]["text"]["text"] == "_No payload_"


def test_an_increase_through_the_webhook_says_that_there_are_no_threads(told: Daemon, slack: FakeServer) -> None:
    budget(told, "hook")
    spend(told, "hook", 1_000_000)
    increase(told, "hook")
    (message,) = posted(told, slack)
    assert texts(message) == [
        "*Current limit:*\n$5.00",
        "*Current spend:*\n$1.00",
        "*Requested increase:*\n$2.50",
        "*New limit:*\n$7.50",
        "*Agent:*\nmailer",
    ]
    assert [block["type"] for block in message["blocks"]] == ["header", "section", "section", "actions", "context"]
    assert message["blocks"][2]["text"]["text"] == "*Reason:* " + "r" * 500
    assert "hreading is unavailable" in message["blocks"][4]["elements"][0]["text"]


def test_an_increase_that_nobody_has_checked_is_told_all_the_same(told: Daemon, slack: FakeServer) -> None:
    action(told, actionType="budget_increase", payload={"requestedAmountMicrodollars": "much", "reason": [1]})
    (message,) = posted(told, slack)
    assert texts(message)[2] == "*Requested increase:*\nunknown"


def test_thresholds_and_an_exceeded_budget_are_told_once_each(told: Daemon, slack: FakeServer) -> None:
    budget(told, "a & b")
    spend(told, "a & b", 2_500_000)
    spend(told, "a & b", 2_250_000)
    spend(told, "a & b", 60_000_000)
    messages = posted(told, slack)
    assert [texts(message)[1:2] + texts(message)[4:] for message in messages] == [
        ["*Severity:*\nwarning", "*Threshold:*\n50%", "*Usage:*\n50%"],
        ["*Severity:*\nwarning", "*Threshold:*\n80%", "*Usage:*\n95%"],
        ["*Severity:*\ncritical", "*Threshold:*\n90%", "*Usage:*\n95%"],
        ["*Severity:*\ncritical", "*Threshold:*\n95%", "*Usage:*\n95%"],
        ["*Severity:*\nexceeded", "*Threshold:*\n100%+", "*Usage:*\n999%"],
    ]
    assert texts(messages[0])[:4] == [
        "*Entity:*\ncustomer/a &amp; b",
        "*Severity:*\nwarning",
        "*Spend:*\n$2.50",
        "*Limit:*\n$5.00",
    ]
    emojis = [message["blocks"][0]["text"]["text"].split()[0] for message in messages]
    assert emojis == [":warning:", ":warning:", ":red_circle:", ":red_circle:", ":rotating_light:"]
    assert messages[0]["blocks"][2]["elements"][0]["url"] == "https://dash.example.org/app/budgets"


def test_nothing_is_sent_while_slack_is_off_or_after_it_was_deleted(told: Daemon, slack: FakeServer) -> None:
    set_up(told, isActive=False)
    action(told)
    assert told.call("DELETE", "/api/slack/config").status == 200
    action(told)
    set_up(told)
    assert posted(told, slack) == []
    action(told)
    assert len(posted(told, slack)) == 1


def test_an_action_is_told_again_until_slack_takes_it(told: Daemon, slack: FakeServer) -> None:
    slack.answer("POST", PATH, *[Scripted(503, "later")] * 3, Scripted(200, "ok"))
    action(told)
    for _ in range(5):
        settle(told, 8_000)
    assert len(posted(told, slack)) == 4


def test_after_three_more_tries_a_message_is_given_up(told: Daemon, slack: FakeServer) -> None:
    slack.answer("POST", PATH, Scripted(429, "later"))
    action(told)
    for _ in range(6):
        settle(told, 8_000)
    assert len(posted(told, slack)) == 4
    assert rows(told, "SELECT count(*) FROM slack_messages") == [(0,)]


def test_what_slack_refuses_and_what_is_only_an_alert_is_tried_once(told: Daemon, slack: FakeServer) -> None:
    slack.answer("POST", PATH, Scripted(403, "no"))
    action(told)
    settle(told, 20_000)
    assert len(slack.asked) == 1
    slack.answer("POST", PATH, Scripted(503, "later"))
    budget(told, "once")
    spend(told, "once", 2_500_000)
    settle(told, 20_000)
    assert len(slack.asked) == 2


def test_slack_being_away_fails_and_delays_nothing_and_a_restart_loses_nothing(
    start: StartDaemon, slack: FakeServer
) -> None:
    slack.answer("POST", PATH, Scripted(503, "later"))
    environment = {"NULLSPEND_SLACK_HOST": urlsplit(slack.url).netloc}
    daemon = start("--test-clock", env=environment)
    set_up(daemon)
    action(daemon)
    settle(daemon)
    daemon.end(9)
    slack.answer("POST", PATH, Scripted(200, "ok"))
    tried = len(slack.asked)
    again = start("--test-clock", env=environment)
    settle(again, 8_000)
    assert len(slack.asked) == tried + 1


# -- threads


@pytest.fixture
def threaded(start: StartDaemon, slack: FakeServer) -> Daemon:
    daemon = start(
        "--test-clock",
        env={
            "NULLSPEND_SLACK_HOST": urlsplit(slack.url).netloc,
            "SLACK_BOT_TOKEN": "xoxb-1",
            "SLACK_CHANNEL_ID": "C1",
        },
    )
    set_up(daemon)
    return daemon


def test_an_increase_opens_a_thread_and_its_end_is_told_there(threaded: Daemon, slack: FakeServer) -> None:
    said = {"ok": True, "channel": "C1", "ts": "1503435956.000247", "message": {"text": "x" * 5_000}}
    slack.answer("POST", "/api/chat.postMessage", said)
    budget(threaded, "thread")
    made = increase(threaded, "thread")
    settle(threaded)
    assert threaded.call("POST", f"/api/actions/{made}/approve").status == 200
    for status in ("executing", "executed"):
        body = {"status": status}
        assert threaded.call("POST", f"/api/actions/{made}/result", body, auth="key").status == 200
    opening, reply = posted(threaded, slack, "/api/chat.postMessage")
    assert (opening["channel"], "thread_ts" in opening) == ("C1", False)
    assert "context" not in [block["type"] for block in opening["blocks"]]
    assert (reply["channel"], reply["thread_ts"]) == ("C1", "1503435956.000247")
    assert "Remaining: *$7.50* of $7.50" in reply["blocks"][0]["text"]["text"]
    assert {asked.headers["authorization"] for asked in slack.asked} == {"Bearer xoxb-1"}
    assert slack.asked_for("POST", PATH) == []


def test_a_reply_waits_for_the_message_that_opens_its_thread(threaded: Daemon, slack: FakeServer) -> None:
    slack.answer("POST", "/api/chat.postMessage", Scripted(503, "later"), {"ok": True, "ts": "7.7"})
    budget(threaded, "slow")
    made = increase(threaded, "slow")
    settle(threaded)
    threaded.call("POST", f"/api/actions/{made}/approve")
    for status in ("executing", "executed"):
        threaded.call("POST", f"/api/actions/{made}/result", {"status": status}, auth="key")
    settle(threaded, 8_000)
    settle(threaded)
    failed, opening, reply = posted(threaded, slack, "/api/chat.postMessage")
    assert failed["text"] == opening["text"] == "mailer asks for $2.50 more budget"
    assert reply["thread_ts"] == "7.7"


# -- buttons


def press(
    daemon: Daemon,
    made: str,
    button: str = "approve_action",
    *,
    user: dict[str, Any] | None = None,
    secret: str = SECRET,
    age: int = 0,
    change: Callable[[bytes], bytes] = lambda body: body,
) -> Reply:
    payload = {
        "type": "block_actions",
        "user": user or {"id": "U7", "username": "ada", "name": "Ada"},
        "actions": [{"action_id": button, "value": made[7:]}],
    }
    body = urlencode({"payload": json.dumps(payload)}).encode()
    stamp = str(int(time.time()) - age)
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={digest}",
    }
    reply = daemon.call("POST", "/api/slack/callback", change(body), auth=None, headers=headers)
    assert reply.status == 200, reply.body
    return reply


def state(daemon: Daemon, made: str) -> tuple[str, str | None, str | None]:
    record = daemon.call("GET", f"/api/actions/{made}").json["data"]
    return record["status"], record["approvedBy"], record["rejectedBy"]


def test_a_pressed_button_decides_and_replaces_the_message(told: Daemon) -> None:
    approved, rejected = action(told), action(told)
    reply = press(told, approved).json
    assert (reply["replace_original"], reply["text"]) == (
        True,
        ":white_check_mark: Approved by ada: http_post of mailer",
    )
    assert reply["blocks"][0]["text"]["text"] == reply["text"]
    assert state(told, approved) == ("approved", "ada", None)
    assert press(told, rejected, "reject_action", user={"id": "U7", "name": "Ada"}).json["text"] == (
        ":no_entry: Rejected by Ada: http_post of mailer"
    )
    assert state(told, rejected) == ("rejected", None, "Ada")
    assert rows(told, "SELECT actor_id, action, metadata FROM audit_log WHERE resource_id = ?", approved) == [
        ("ada", "action.approved", '{"actionType":"http_post"}')
    ]
    staged = rows(told, "SELECT type FROM outbox WHERE json_extract(object, '$.action_id') = ?", approved)
    assert staged == [("action.created",), ("action.approved",)]


def test_an_increase_approved_in_slack_raises_the_limit(told: Daemon) -> None:
    budget(told, "pressed")
    made = increase(told, "pressed")
    assert press(told, made).json["text"].endswith("budget_increase of mailer. The limit is now $7.50")
    (found,) = [each for each in told.call("GET", "/api/budgets").json["data"] if each["entityId"] == "pressed"]
    assert found["maxBudgetMicrodollars"] == 7_500_000


def test_a_button_that_cannot_decide_says_why_and_changes_nothing(told: Daemon) -> None:
    made = increase(told, "nobody's")
    reply = press(told, made).json
    assert (reply["replace_original"], state(told, made)[0]) == (True, "pending")
    assert reply["text"].startswith(":warning: budget_increase of mailer was not approved: There is no customer budget")
    other = action(told)
    press(told, other)
    assert "Cannot transition action from approved to rejected." in press(told, other, "reject_action").json["text"]


def test_a_button_of_an_expired_action_says_so(told: Daemon) -> None:
    made = action(told, expiresInSeconds=60)
    settle(told, 61_000)
    assert press(told, made).json["text"] == ":hourglass: Expired before anybody decided: http_post of mailer"
    assert state(told, made)[0] == "expired"


def test_only_the_named_person_may_press(told: Daemon) -> None:
    set_up(told, slackUserId="U1")
    made = action(told)
    reply = press(told, made).json
    assert (reply["response_type"], reply["replace_original"]) == ("ephemeral", False)
    assert state(told, made)[0] == "pending"
    press(told, made, user={"id": "U1"})
    assert state(told, made) == ("approved", "U1", None)


def test_a_link_button_is_only_acknowledged(told: Daemon) -> None:
    assert press(told, action(told), "view_dashboard").json == {"ok": True}


@pytest.mark.parametrize(
    "forged",
    [
        {"secret": "another"},
        {"age": 301},
        {"age": -301},
        {"change": lambda body: body.replace(b"reject_action", b"approve_action") + b"&x=1"},
    ],
)
def test_what_slack_did_not_sign_just_now_is_refused(told: Daemon, forged: dict[str, Any]) -> None:
    made = action(told)
    reply = press(told, made, **forged).json
    assert reply["replace_original"] is True
    assert state(told, made)[0] == "pending"


@pytest.mark.parametrize("body", [b"", b"payload=%7B", b"payload=[]", b"payload=null", b"x=1", b"\xff"])
def test_a_signed_body_that_says_nothing_is_answered(told: Daemon, body: bytes) -> None:
    stamp = str(int(time.time()))
    digest = hmac.new(SECRET.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}
    reply = told.call("POST", "/api/slack/callback", body, auth=None, headers=headers)
    assert (reply.status, reply.json["text"]) == (200, ":warning: The request cannot be read.")


def test_without_a_signing_secret_or_a_configuration_nothing_is_taken(start: StartDaemon, told: Daemon) -> None:
    made = action(told)
    told.call("DELETE", "/api/slack/config")
    assert "does not use Slack" in press(told, made).json["text"]
    plain = start()
    assert "SLACK_SIGNING_SECRET" in press(plain, made).json["text"]
