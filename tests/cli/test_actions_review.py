"""`actions review` in a real terminal, with a real daemon behind it."""

import json
import signal
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cli.seat import Seat
from tests.conftest import StartDaemon
from tests.machine import Daemon, Machine, start_daemon

pytestmark = pytest.mark.slow

PAYLOADS: dict[str, dict[str, Any]] = {
    "send_email": {"to": "a@example.org", "subject": "Hi", "body": "Dear A,\n\x1b[2Jgone"},
    "shell_command": {"command": "rm -rf build\nmake", "cwd": "/src"},
    "http_post": {"url": "https://x.example", "body": {"n": [1, True, None]}},
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    running = start_daemon(Machine(tmp_path_factory.mktemp("machine")), "--test-clock")
    yield running
    running.end()


@pytest.fixture
def desk(shared: Daemon) -> Daemon:
    """A daemon on which nothing waits."""
    for action in shared.call("GET", "/api/actions?status=pending&limit=100").json["data"]:
        shared.call("POST", f"/api/actions/{action['id']}/reject")
    return shared


def ask(daemon: Daemon, kind: str = "http_post", agent: str = "agent", **fields: Any) -> str:
    body = {"agentId": agent, "actionType": kind, "payload": PAYLOADS.get(kind, {}), **fields}
    reply = daemon.call("POST", "/api/actions", body, auth="key")
    assert reply.status == 201, reply.body
    return str(reply.json["id"])


def ask_money(daemon: Daemon) -> str:
    budget = {"entityType": "customer", "entityId": "acme", "maxBudgetMicrodollars": 5_000_000}
    assert daemon.call("POST", "/api/budgets", budget).status == 201
    payload = {
        "entityType": "customer",
        "entityId": "acme",
        "requestedAmountMicrodollars": 2_000_000,
        "currentLimitMicrodollars": 0,
        "currentSpendMicrodollars": 0,
        "reason": "more pages",
    }
    return ask(daemon, "budget_increase", "spender", payload=payload)


def status(daemon: Daemon, action: str) -> str:
    return str(daemon.call("GET", f"/api/actions/{action}").json["status"])


def limit(daemon: Daemon) -> int:
    return int(daemon.call("GET", "/api/budgets").json["data"][0]["maxBudgetMicrodollars"])


@contextmanager
def hanging(daemon: Daemon) -> Generator[None]:
    """The daemon lives and says nothing meanwhile."""
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        daemon.process.send_signal(signal.SIGCONT)


def test_approve_reject_skip_and_quit(desk: Daemon) -> None:
    first, second, third = (ask(desk, kind, agent) for kind, agent in zip(PAYLOADS, ("one", "two", "three")))
    with Seat(desk.machine, "actions", "review") as seat:
        seat.sees("one asks to send_email", "3 waiting", "To: a@example.org", "Subject: Hi", "\\x1b[2Jgone")
        seat.press("a")
        seat.sees("two asks to shell_command", "$ rm -rf build", "make", "Approved the send_email of one.")
        seat.press("s")
        seat.sees("three asks to http_post", "POST https://x.example", "1 skipped")
        seat.press("r")
        seat.sees("Everything else is decided", "Rejected the http_post of three.")
        seat.press("s")
        seat.sees("two asks to shell_command")
        seat.press("q")
        assert seat.ends() == 0
        assert "Approved 1, rejected 1. 1 still waiting." in seat.output
        assert seat.output.rstrip().rpartition("\x1b[?1049l")[1], "the screen of before comes back"
    assert [status(desk, each) for each in (first, second, third)] == ["approved", "pending", "rejected"]


def test_a_part_of_an_increase_is_approved(desk: Daemon) -> None:
    made = ask_money(desk)
    with Seat(desk.machine, "actions", "review") as seat:
        seat.sees("spender asks to budget_increase", "acme  $5.00 -> $7.00", "0% -> 0%", "m amount")
        seat.press("m")
        seat.sees("Raise by instead of $2.00: _")
        seat.press("lots\r")
        seat.sees("'lots' is not an amount of money")
        seat.press("\x7f\x7f\x7f\x7f0.50\r")
        seat.sees("Approved the budget_increase of spender. The limit is now $5.50.")
    assert (status(desk, made), limit(desk)) == ("approved", 5_500_000)


@pytest.mark.slow
def test_an_amount_can_be_left_again_and_is_for_increases_only(desk: Daemon) -> None:
    made = ask_money(desk)
    ask(desk)
    with Seat(desk.machine, "actions", "review") as seat:
        seat.sees("m amount")
        seat.press("m")
        seat.sees("Raise by")
        seat.press("q9\x1b")
        seat.sees("a approve", not_="Raise by")
        seat.press("s")
        seat.sees("agent asks to http_post", not_="m amount")
        seat.press("m")
        seat.sees("Only a budget increase has an amount.")
    assert (status(desk, made), limit(desk)) == ("pending", 5_000_000)


@pytest.mark.slow
def test_what_the_server_refuses_is_told_and_stays(desk: Daemon) -> None:
    made = ask(desk, "budget_increase", payload={"reason": "none"})
    with Seat(desk.machine, "actions", "review") as seat:
        seat.sees("There is no such budget")
        seat.press("a")
        seat.sees("payload.entityType", "a approve")
    assert status(desk, made) == "pending"


def test_new_requests_appear_and_somebody_elses_decision_is_told(desk: Daemon) -> None:
    with Seat(desk.machine, "actions", "review") as seat:
        seat.sees("Nothing waits for a decision.")
        first, second = ask(desk, agent="early"), ask(desk, agent="late")
        seat.sees("early asks to http_post", "2 waiting")
        assert desk.call("POST", f"/api/actions/{first}/reject").status == 200
        seat.sees("The http_post of early was rejected by owner@nullspend.local.", "any key")
        seat.press("a")
        seat.sees("late asks to http_post")
    assert status(desk, second) == "pending", "the key that went on decided nothing"


@pytest.mark.slow
def test_an_expiry_is_counted_down_and_told(desk: Daemon) -> None:
    ask(desk, agent="brief", expiresInSeconds=90)
    ask(desk, agent="next")
    with Seat(desk.machine, "actions", "review") as seat:
        seat.sees("brief asks to", "in 1m 2")
        desk.run("clock", "advance", "80s")
        desk.run("clock", "advance", "11s")
        seat.sees("The http_post of brief expired before anybody decided.")
        seat.press("x")
        seat.sees("next asks to http_post")


@pytest.mark.slow
def test_a_long_payload_is_folded_scrolled_and_survives_a_resize(desk: Daemon) -> None:
    payload = {"text": "x" * 2_000, **{f"key{number:02}": number for number in range(60)}}
    ask(desk, payload=payload)
    with Seat(desk.machine, "actions", "review") as seat:
        seat.sees("(+1,700", "lines: v shows all)")
        seat.press("v")
        seat.sees("scroll", "xxxxx", not_="(+1,700")
        seat.press("\x1b[F")
        seat.sees('"key59": 59')
        seat.press("b")
        seat.sees("(+1,700")
        seat.resize(12, 40)
        narrow = seat.sees("a approve", "v view all", "lines: v shows all)", not_=" " * 41)
        assert max(map(len, narrow.splitlines())) <= 40
        seat.resize(40, 120)
        seat.sees('"key00": 0', "q quit")


@pytest.mark.slow
def test_a_stopped_daemon_is_told_and_waited_for(start: StartDaemon) -> None:
    desk = start("--test-clock")
    made = ask(desk, agent="patient")
    with Seat(desk.machine, "actions", "review") as seat:
        seat.sees("patient asks to")
        desk.end()
        seat.sees("Waiting for it.", "patient asks to")
        seat.press("a")
        seat.sees("No server answers, so nothing was decided.")
        again = start("--test-clock")
        seat.sees("patient asks to", not_="Waiting for it.")
        seat.press("a")
        seat.sees("Approved the http_post of patient.")
        assert "Traceback" not in seat.output
    assert status(again, made) == "approved"


@pytest.mark.slow
def test_a_server_that_hangs_is_given_up_on_and_nothing_is_decided(start: StartDaemon) -> None:
    desk = start()
    made = ask(desk, agent="stuck")
    with Seat(desk.machine, "actions", "review") as seat:
        seat.sees("stuck asks to")
        with hanging(desk):
            seat.press("a")
            seat.sees("Approving ...", "stuck asks to")
            seat.press("r")
            seat.press("v")
            seat.sees("No server answers, so nothing was decided.", not_="scroll")
        seat.sees("stuck asks to", not_="Waiting for it.")
        assert status(desk, made) == "pending", "what was said is true"
        seat.press("a")
        seat.sees("Approved the http_post of stuck.")
    assert status(desk, made) == "approved"


@pytest.mark.slow
def test_a_server_elsewhere_that_falls_silent_in_a_decision_tells_what_became_of_it(start: StartDaemon) -> None:
    desk = start()
    made = ask(desk, agent="stuck")
    elsewhere = {
        "NULLSPEND_BASE_URL": desk.url.replace("127.0.0.1", "localhost"),
        "NULLSPEND_SESSION": desk.state["owner"]["cookie"],
    }
    with Seat(Machine(desk.machine.home, elsewhere), "actions", "review") as seat:
        seat.sees("stuck asks to")
        with hanging(desk):
            seat.press("a")
            seat.sees("Approving ...", "stuck asks to")
            seat.sees("The reply was lost; whether it was decided shows once the server answers.")
        seat.sees("The server answers, and this still waits: the decision has not arrived.")
        assert status(desk, made) == "pending", "what was said is true"
        seat.press("a")
        seat.sees("Approved the http_post of stuck.")
    assert status(desk, made) == "approved"


@pytest.mark.slow
def test_whoever_quits_while_a_decision_is_on_its_way_is_told_which(start: StartDaemon) -> None:
    desk = start()
    made = ask(desk, agent="stuck")
    with Seat(desk.machine, "actions", "review") as seat:
        seat.sees("stuck asks to")
        with hanging(desk):
            seat.press("a")
            seat.sees("Approving ...")
            seat.press("q")
            assert seat.ends() == 0
        said = " ".join(seat.output.split())
        assert f"The server has not answered the last decision: nullspend actions get {made}" in said


def test_ctrl_c_gives_the_terminal_back(desk: Daemon) -> None:
    ask(desk)
    with Seat(desk.machine, "actions", "review") as seat:
        seat.sees("agent asks to")
        seat.press("\x03")
        assert seat.ends() == 130
        assert "\x1b[?1049l" in seat.output
        assert "Traceback" not in seat.output


def test_without_a_terminal_it_says_what_to_do_instead(desk: Daemon) -> None:
    result = desk.run("actions", "review")
    assert (result.code, result.out, result.err) == (
        2,
        "",
        "error: actions review needs a terminal: it shows requests and reads keys.\n"
        "next: nullspend actions list --status pending\n",
    )


@pytest.mark.slow
def test_approve_asks_in_a_terminal_after_showing_what(desk: Daemon) -> None:
    made = ask(desk, "shell_command", "ops")
    for answer, code, after in (("n", 2, "pending"), ("y", 0, "approved")):
        with Seat(desk.machine, "actions", "approve", made) as seat:
            seat.sees("ops asks to shell_command", "$ rm -rf build", "Approve the shell_command of ops? [y/N]")
            seat.press(f"{answer}\r")
            assert (seat.ends(), status(desk, made)) == (code, after)


def test_tail_rings_the_bell_for_new_requests_only(desk: Daemon) -> None:
    ask(desk, agent="before")
    with Seat(desk.machine, "actions", "tail") as seat:
        seat.sees("before")
        assert "\a" not in seat.output
        ask(desk, agent="fresh")
        seat.sees("fresh")
        assert seat.output.count("\a") == 1
        seat.press("\x03")
        assert seat.ends() == 130


def test_json_of_a_decision_is_the_servers_reply(desk: Daemon) -> None:
    made = ask(desk)
    done = desk.run("actions", "approve", made[-8:], "--yes", "--json")
    assert json.loads(done.out)["status"] == "approved"
