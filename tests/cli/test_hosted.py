"""The command against the hosted service as it was observed: bare ids, wrapped and bare replies, cookies that renew."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.conftest import StartDaemon
from tests.fakes.hosted import KEY, PERSONAL, RAW_KEY, TEAM, USER, Hosted, hosted_server
from tests.machine import Daemon, Machine

pytestmark = pytest.mark.slow

COOKIE = "sb-session=token-1; theme=dark"


@pytest.fixture
def hosted() -> Iterator[Hosted]:
    with hosted_server() as server:
        yield server


@pytest.fixture
def signed_in(machine: Machine, hosted: Hosted) -> Machine:
    """A machine signed in to the hosted service with a key and a browser's whole Cookie header."""
    given = f"{RAW_KEY}\nCookie: {COOKIE}\n"
    done = machine.run("auth", "login", "--server", hosted.url, "-c", "hosted", input=given)
    assert done.code == 0, done.err
    return machine


def test_who_you_are_is_shown_with_prefixes_whatever_the_server_sends(signed_in: Machine, hosted: Hosted) -> None:
    status = signed_in.run("auth", "status", "--check", "--json").json
    assert (status["userId"], status["orgId"], status["keyId"]) == (
        f"ns_usr_{USER}",
        f"ns_org_{PERSONAL}",
        f"ns_key_{KEY}",
    )
    assert (status["keyName"], status["session"], status["apiKey"]) == ("ci", "valid", "valid")


def test_a_session_that_renews_itself_with_each_list_stays_alive(signed_in: Machine, hosted: Hosted) -> None:
    for _ in range(3):
        assert signed_in.run("keys", "list", "-q").out == f"ns_key_{KEY}\n"
    sent = [seen.headers["cookie"] for seen in hosted.seen if seen.path == "/api/keys"]
    assert sent == [
        "sb-session=token-1; theme=dark",
        "sb-session=token-2; theme=dark",
        "sb-session=token-3; theme=dark",
    ]
    hosted.token = "token-99"
    expired = signed_in.run("keys", "list")
    assert (expired.code, expired.err) == (
        4,
        "error: session expired: paste a new cookie with nullspend auth login --session\n",
    )


def test_wrapped_and_bare_replies_lead_to_the_same_output(signed_in: Machine, hosted: Hosted) -> None:
    assert signed_in.run("keys", "update", "ci", "--name", "pipeline").err == "Changed the key pipeline.\n"
    made = signed_in.run("budgets", "set", "--key", "pipeline", "--max", "$5", "--json").json
    assert (made["id"], made["entityId"]) == (f"ns_bgt_{TEAM}", f"ns_key_{KEY}")
    assert "pipeline" in signed_in.run("budgets", "list").out
    again = signed_in.run("budgets", "set", "--key", "pipeline", "--max", "$6")
    assert again.code == 0, again.err
    assert signed_in.run("budgets", "delete", "pipeline", "--yes").code == 0


def test_an_organization_is_switched_to_with_its_bare_id(signed_in: Machine, hosted: Hosted) -> None:
    switched = signed_in.run("api", "POST", "auth/switch-org", "-f", f"orgId={TEAM}")
    assert switched.code == 0, switched.err
    assert signed_in.run("keys", "list").code == 0
    assert f"ns-active-org={TEAM}:owner." in hosted.seen[-1].headers["cookie"]


def test_a_page_that_is_no_api_reply_is_a_sentence(signed_in: Machine) -> None:
    refused = signed_in.run("policy", "get")
    assert (refused.code, refused.out) == (5, "")
    assert "answered 404 with text/html." in refused.err


def report(daemon: Daemon, count: int) -> list[str]:
    lines = [
        {"provider": "openai", "model": "gpt-4o", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": cost}
        for cost in range(1, count + 1)
    ]
    given = "\n".join(map(json.dumps, lines))
    done = daemon.run("events", "report", "-", "-c", "local", "-q", input=given)
    assert done.code == 0, done.err
    return done.out.split()


def test_push_waits_as_long_as_the_server_asks_and_sends_nothing_twice(
    signed_in: Machine, hosted: Hosted, start: StartDaemon
) -> None:
    ids = report(start(), 120)
    hosted.busy = 2
    started = time.monotonic()
    done = signed_in.run("push", "--json")
    assert time.monotonic() - started >= 2
    assert (done.code, done.json) == (0, {"stored": 120, "duplicates": 0, "refused": []})
    assert hosted.sent == ids
    assert signed_in.run("push").err == "0 events stored.\n"
    assert hosted.sent == ids
    keys = {seen.headers.get("x-nullspend-key") for seen in hosted.seen if seen.path.endswith("/batch")}
    assert keys == {RAW_KEY}


def test_a_push_whose_answer_was_lost_stores_nothing_twice(
    signed_in: Machine, hosted: Hosted, start: StartDaemon
) -> None:
    ids = report(start(), 30)
    hosted.loses_reply = True
    assert signed_in.run("push", "--json").json == {"stored": 0, "duplicates": 30, "refused": []}
    assert [key for key, _ in hosted.events] == ids


def test_a_push_that_broke_off_goes_on_where_it_stopped(signed_in: Machine, hosted: Hosted, start: StartDaemon) -> None:
    ids = report(start(), 250)
    hosted.fails_after = 1
    broken = signed_in.run("push")
    assert broken.code == 1
    assert "answered 500 with text/html." in broken.err
    assert "  50 events stored. The next push goes on from there.\n" in broken.err
    hosted.fails_after = None
    assert signed_in.run("push").err == "200 events stored.\n"
    assert hosted.sent == ids


def test_a_push_that_was_killed_goes_on_and_nothing_is_stored_twice(
    signed_in: Machine, hosted: Hosted, start: StartDaemon
) -> None:
    ids = report(start(), 600)
    hosted.batch_seconds = 0.2
    process = subprocess.Popen([sys.executable, "-m", "nullspend_cli", "push"], env=signed_in.env, cwd=signed_in.home)
    deadline = time.monotonic() + 30
    while hosted.batches < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    hosted.batch_seconds = 0
    assert signed_in.run("push").code == 0
    assert [key for key, _ in hosted.events] == ids
    assert len(hosted.sent) <= 700


def test_since_chooses_and_a_longer_span_sends_only_what_is_missing(
    signed_in: Machine, hosted: Hosted, start: StartDaemon
) -> None:
    daemon = start("--test-clock")
    old = report(daemon, 5)
    daemon.run("clock", "advance", "10d", "-c", "local")
    new = report(daemon, 4)
    since = daemon.run("clock", "get", "-c", "local", "--json").json["now"][:10]
    assert signed_in.run("push", "--since", since).err.endswith("4 events stored.\n")
    assert hosted.sent == new
    assert signed_in.run("push").err == "5 events stored.\n"
    assert hosted.sent == new + old
    assert signed_in.run("push", "--dry-run").err == "There is nothing to push.\n"


def test_each_local_organization_is_pushed_for_itself(signed_in: Machine, hosted: Hosted, start: StartDaemon) -> None:
    daemon = start()
    first = report(daemon, 2)
    assert signed_in.run("push").code == 0
    for command in (("orgs", "create", "Acme"), ("orgs", "switch", "Acme"), ("keys", "create", "agent", "--save")):
        done = signed_in.run(*command, "-c", "local")
        assert done.code == 0, done.err
    event = ("--provider", "p", "--model", "m", "--cost", "1c", "-q", "-c", "local")
    theirs = signed_in.run("events", "report", "--key", "agent", *event).out.split()
    mine = signed_in.run("events", "report", *event).out.split()
    assert signed_in.run("push").err == "1 event stored.\n"
    assert hosted.sent == first + theirs
    assert signed_in.run("orgs", "switch", "Personal", "-c", "local").code == 0
    assert signed_in.run("push").err == "1 event stored.\n"
    assert hosted.sent == first + theirs + mine


def test_a_damaged_record_of_what_was_pushed_says_how_to_start_afresh(signed_in: Machine, start: StartDaemon) -> None:
    path = start().data / "pushed.json"
    path.write_text("[]")
    refused = signed_in.run("push")
    assert (refused.code, refused.err) == (
        1,
        f"error: {path} is damaged; it holds what has been pushed so far.\n"
        f"next: Start afresh (the other server still knows what it has): rm '{path}'\n",
    )
