"""`nullspend actions` and `nullspend slack`, as a script and a person in a pipe use them."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.steady import TIME, UUID, steady
from tests.fakes.server import FakeServer, Scripted
from tests.machine import Daemon, Machine, start_daemon

BARE = "019a0000-0000-7000-8000-00000000abcd"
ACTION = {
    "id": BARE,
    "agentId": "mailer",
    "actionType": "send_email",
    "status": "pending",
    "payload": {"to": "a@example.org"},
    "metadata": None,
    "createdAt": "2026-11-24T12:00:00.000Z",
    "expiresAt": None,
    "approvedBy": None,
    "rejectedBy": None,
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    environment = {"NULLSPEND_SLACK_HOST": "127.0.0.1:1"}
    running = start_daemon(Machine(tmp_path_factory.mktemp("machine")), "--test-clock", env=environment)
    yield running
    running.end()


def ask(daemon: Daemon, *more: str, payload: Any = None, kind: str = "http_post") -> str:
    given = json.dumps({"url": "https://x.example"} if payload is None else payload)
    result = daemon.run("actions", "create", "--agent", "bot", "--type", kind, "--payload", given, *more, "--json")
    assert result.code == 0, result.err
    return str(result.json["id"])


def test_an_action_is_created_listed_and_shown(shared: Daemon) -> None:
    payload = {"to": ["a@example.org", "b@example.org"], "subject": "Hi", "body": "one\ntwo \x1b[31m", "n": {"a": [1]}}
    made = ask(shared, "--metadata", '{"environment": "prod"}', payload=payload, kind="send_email")
    listed = steady(shared.run("actions", "list", "--limit", "1").out.replace(made[-8:], "00000000"))
    title, row = listed.splitlines()
    assert title.split() == ["ID", "TIME", "AGENT", "TYPE", "STATUS", "EXPIRES", "WHAT", "WHOLE", "ID"]
    assert row.startswith(f"00000000  {TIME}  bot    send_email  pending  in 59m ")
    assert row.endswith(f"  Hi    ns_act_{UUID}")
    assert shared.run("approvals", "ls", "-q", "--limit", "1").out == f"{made}\n"
    shown = steady(shared.run("actions", "get", made[-10:]).out)
    assert shown == (
        f"id           ns_act_{UUID}\n"
        "agent        bot\n"
        "type         send_email\n"
        "status       pending\n"
        f"asked        {TIME}\n"
        f"expires      {TIME}\n"
        "environment  prod\n"
        "\n"
        "To: a@example.org, b@example.org\n"
        "Subject: Hi\n"
        "one\n"
        "two \\x1b[31m\n"
        "\n"
        "{\n"
        '  "n": {\n'
        '    "a": [\n'
        "      1\n"
        "    ]\n"
        "  }\n"
        "}\n"
        "\n"
        "metadata\n"
        "{\n"
        '  "environment": "prod"\n'
        "}\n"
    )


def test_approve_shows_what_and_needs_a_yes_without_a_terminal(shared: Daemon) -> None:
    made = ask(shared, payload={"command": "rm -rf build"}, kind="shell_command")
    refused = shared.run("actions", "approve", made)
    assert (refused.code, refused.out) == (2, "")
    assert "bot asks to shell_command\n" in refused.err
    assert "$ rm -rf build\n" in refused.err
    assert refused.err.endswith(
        "error: This needs a yes: Approve the shell_command of bot?\nnext: Add --yes to say it on the command line.\n"
    )
    done = shared.run("actions", "approve", made, "--yes")
    assert (done.code, done.out, done.err) == (0, "", "Approved the shell_command of bot.\n")
    again = shared.run("actions", "approve", made, "--yes")
    assert (again.code, again.err.splitlines()[0]) == (
        1,
        "error: Cannot transition action from approved to approved.",
    )


def test_a_part_of_an_increase_is_approved(shared: Daemon) -> None:
    shared.run("budgets", "set", "--customer", "acme", "--max", "$5")
    payload = {
        "entityType": "customer",
        "entityId": "acme",
        "requestedAmountMicrodollars": 2_000_000,
        "currentLimitMicrodollars": 0,
        "currentSpendMicrodollars": 0,
        "reason": "r",
    }
    made = ask(shared, payload=payload, kind="budget_increase")
    assert "acme  $5.00 -> $7.00" in shared.run("actions", "approve", made).err
    done = shared.run("actions", "approve", made, "--amount", "50c", "--yes")
    assert done.err == ("Approved the budget_increase of bot by $0.50. The limit went from $5.00 to $5.50.\n")
    other = ask(shared)
    assert shared.run("actions", "approve", other, "--amount", "$1", "--yes").err == (
        "error: Only a budget_increase has an amount.\n"
    )


def test_results_and_costs(shared: Daemon) -> None:
    made = ask(shared)
    shared.run("actions", "approve", made, "--yes")
    assert shared.run("actions", "result", made, "executing").err == "The http_post of bot is executing.\n"
    done = shared.run("actions", "result", made, "failed", "--error", "no route", "--result", '{"n": 1}', "--json")
    assert (done.json["status"], done.json["executedAt"] is not None) == ("failed", True)
    assert "error        no route\n" in shared.run("actions", "get", made).out
    assert shared.run("actions", "costs", made).err == "No call has named this action yet.\n"


def test_wait_tells_by_its_exit_code(shared: Daemon) -> None:
    made = ask(shared)
    pending = shared.run("actions", "wait", made, "--timeout", "1ms")
    assert (pending.code, pending.err) == (8, "The http_post of bot still waits for a decision.\n")

    def decide_later(verb: str, action: str) -> None:
        time.sleep(0.5)
        shared.call("POST", f"/api/actions/{action}/{verb}")

    for verb, code, word in (("approve", 0, "approved"), ("reject", 6, "rejected")):
        action = ask(shared)
        thread = threading.Thread(target=decide_later, args=(verb, action))
        thread.start()
        done = shared.run("actions", "wait", action, "--timeout", "30s")
        thread.join()
        assert (done.code, done.err) == (code, f"The http_post of bot was {word} by owner@nullspend.local.\n")
    lapsed = ask(shared, "--expires", "1s")
    done = shared.run("actions", "wait", lapsed, "--json")
    assert (done.code, done.json["status"]) == (6, "expired")


def test_names_that_stand_for_nothing_or_for_several(shared: Daemon) -> None:
    ask(shared)
    missing = shared.run("actions", "get", "zzzz")
    assert (missing.code, missing.err) == (
        5,
        "error: There is no action 'zzzz' among the newest 500.\nnext: nullspend actions list\n",
    )
    assert shared.run("actions", "get", "ns_act_1").code == 2
    assert shared.run("actions", "get", f"ns_act_{UUID}").code == 5
    assert shared.run("actions", "reject", "").err == (
        "error: Give at least the last 4 characters of the id.\nnext: nullspend actions list\n"
    )


def test_an_end_that_several_ids_share_decides_nothing(elsewhere: Machine, server: FakeServer) -> None:
    other = {**ACTION, "id": "019a0000-0000-7000-8000-00000001abcd", "agentId": "other"}
    server.answer("GET", "/api/actions", {"data": [ACTION, other], "cursor": None})
    result = elsewhere.run("actions", "reject", "abcd")
    assert result.code == 2
    assert result.err.splitlines()[1:3] == [
        f"  ns_act_{BARE}  mailer  send_email  2026-11-24 12:00Z",
        "  ns_act_019a0000-0000-7000-8000-00000001abcd  other  send_email  2026-11-24 12:00Z",
    ]
    assert [asked.method for asked in server.asked] == ["GET"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--payload", "{"), "error: --payload is not JSON:"),
        (("--payload", "[]"), "error: --payload must be a JSON object, such as {}."),
        (("--payload", "@nowhere.json"), "error: There is no file nowhere.json."),
        (("--expires", "soon"), "'soon' is not a duration"),
    ],
)
def test_what_cannot_be_read_is_said(shared: Daemon, options: tuple[str, ...], sentence: str) -> None:
    result = shared.run("actions", "create", "--agent", "a", "--type", "http_post", *options)
    assert result.code in (2, 5)
    assert sentence in result.err


def test_the_payload_comes_from_standard_input_too(shared: Daemon) -> None:
    made = shared.run(
        *("actions", "create", "--agent", "a", "--type", "http_post", "--payload", "-", "--expires", "none", "--json"),
        input='{"url": "https://stdin.example"}',
    )
    shown = shared.run("actions", "get", made.json["id"], "--json").json
    assert (shown["payload"], shown["expiresAt"]) == ({"url": "https://stdin.example"}, None)


def test_an_unknown_type_is_the_servers_to_refuse(shared: Daemon) -> None:
    result = shared.run("actions", "create", "--agent", "a", "--type", "launch")
    assert result.code == 1
    assert "\n  actionType: " in result.err


# -- another server, as observed


def test_wrapped_replies_and_bare_ids_are_shown_in_one_form(elsewhere: Machine, server: FakeServer) -> None:
    decided = {**ACTION, "status": "approved", "approvedBy": BARE, "approvedAt": "2026-11-24T12:01:00.000Z"}
    server.answer("GET", f"/api/actions/ns_act_{BARE}", {"data": decided})
    server.answer("GET", "/api/actions", {"data": [ACTION], "cursor": None})
    server.answer("POST", f"/api/actions/ns_act_{BARE}/approve", {"data": {"id": BARE, "status": "approved"}})
    shown = elsewhere.run("actions", "get", BARE, "--json")
    assert (shown.json["id"], shown.json["approvedBy"]) == (f"ns_act_{BARE}", f"ns_usr_{BARE}")
    assert elsewhere.run("actions", "list", "-q").out == f"ns_act_{BARE}\n"
    assert elsewhere.run("actions", "approve", "abcd", "--yes").err == "Approved the send_email of mailer.\n"
    waited = elsewhere.run("actions", "wait", BARE)
    assert (waited.code, waited.err) == (0, f"The send_email of mailer was approved by ns_usr_{BARE}.\n")


def test_a_server_without_a_stream_is_polled(elsewhere: Machine, server: FakeServer) -> None:
    page: dict[str, Any] = {"data": [ACTION], "cursor": None}
    server.answer("GET", "/api/actions", page, Scripted(403, {"error": {"code": "forbidden", "message": "No."}}))
    result = elsewhere.run("actions", "tail", "--format", "jsonl")
    assert json.loads(result.out)["id"] == f"ns_act_{BARE}"
    assert (result.code, "No." in result.err) == (4, True)
    assert server.asked_for("GET", "/_local/events") == []


# -- slack


def test_slack_is_set_up_shown_masked_tried_and_deleted(shared: Daemon) -> None:
    none = shared.run("slack", "get")
    assert (none.code, none.err) == (
        0,
        "Slack is not set up.\nnext: nullspend slack set --webhook-url URL\n",
    )
    assert shared.run("slack", "get", "--json").json is None
    assert shared.run("slack", "delete", "--yes").code == 5
    url = "https://hooks.slack.com/services/T000/B000/sEcReT123"
    done = shared.run("slack", "set", "--channel", "#money", input=url + "\n")
    assert done.err == "Slack hears of requests and budgets from now on.\nnext: nullspend slack test\n"
    shown = shared.run("slack", "get")
    assert "webhook  https://hooks.slack.com/services/****/****/sEcR****\n" in shown.out
    assert "channel  #money\n" in shown.out
    tried = shared.run("slack", "test")
    assert (tried.code, "Slack could not be reached" in tried.err) == (1, True)
    assert "sEcReT" not in done.err + shown.out + tried.err
    assert shared.run("slack", "set", "--webhook-url", "https://evil.example/x").err == (
        "error: Request validation failed.\n"
        "  webhookUrl: Must start with https://hooks.slack.com/\n"
        "next: Correct the named fields.\n"
    )
    assert "Stop telling Slack at https://hooks.slack.com/services/****" in shared.run("slack", "delete").err
    assert shared.run("slack", "delete", "--yes").err == "Slack hears nothing any more.\n"
