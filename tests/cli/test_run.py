"""`nullspend run`: a command with a cap, around real agents; whatever was made for it is gone afterwards."""

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from typing import Any

import pexpect
import pytest

from tests.conftest import StartDaemon
from tests.machine import Machine

pytestmark = pytest.mark.slow

# gpt-4o-mini's rates: 1,000 tokens in and 10,000 out cost 150 + 6,000 microdollars.
COST = 6_150
AGENT = """
import sys
from openai import OpenAI, RateLimitError

done = 0
try:
    for _ in range(int(sys.argv[1])):
        OpenAI(api_key="none").chat.completions.create(
            model="fake/small",
            max_tokens=10000,
            messages=[{"role": "user", "content": "hello"}],
            extra_body={"fake": {"inputTokens": 1000, "outputTokens": 10000}},
        )
        done += 1
except RateLimitError as error:
    print("stopped:", error.body["code"])
print("calls:", done)
"""
RUN = ("run", "--upstream", "fake")


@pytest.fixture
def agent(machine: Machine) -> list[str]:
    """A command that makes as many calls as it is told to, or as it is let."""
    (machine.home / "agent.py").write_text(AGENT)
    return [sys.executable, "agent.py"]


def temporary(machine: Machine) -> dict[str, str]:
    """The environment that keeps temporary files of a run in a folder of its own."""
    (machine.home / "tmp").mkdir(exist_ok=True)
    return {"TMPDIR": str(machine.home / "tmp")}


def left_behind(machine: Machine) -> list[str]:
    """Temporary folders and daemons of runs; empty once everything is gone, which may take the caretaker a moment."""
    deadline = time.monotonic() + 20
    while True:
        folders = [path.name for path in (machine.home / "tmp").iterdir()]
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout
        daemons = [line for line in listed.splitlines() if str(machine.home / "tmp") in line]
        if not (folders or daemons) or time.monotonic() > deadline:
            return folders + daemons
        time.sleep(0.05)


def test_a_run_is_stopped_at_its_budget_and_reports_to_the_microdollar(machine: Machine, agent: list[str]) -> None:
    done = machine.run(*RUN, "--budget", "2c", "--report", "r.json", "--", *agent, "10", env=temporary(machine))
    assert done.code == 0, done.err
    assert done.out == "stopped: budget_exceeded\ncalls: 3\n"
    report = json.loads((machine.home / "r.json").read_text())
    assert report["spentMicrodollars"] == 3 * COST
    assert report["leftMicrodollars"] == 20_000 - 3 * COST
    assert report["models"] == [
        {
            "provider": "openai",
            "model": "fake/small",
            "calls": 3,
            "inputTokens": 3_000,
            "outputTokens": 30_000,
            "costMicrodollars": 3 * COST,
            "estimatedCalls": 0,
        }
    ]
    assert report["denials"] == [{"model": "fake/small", "reason": "budget"}]
    assert "Spent $0.018450 of $0.02, $0.001550 left; 1 call denied." in done.err
    assert "calls made around it are not seen" in done.err
    assert left_behind(machine) == []


def test_the_exit_code_of_the_command_is_kept(machine: Machine) -> None:
    env = temporary(machine)
    assert machine.run("run", "--", "sh", "-c", "exit 3", env=env).code == 3
    assert machine.run("run", "--", "sh", "-c", "kill -TERM $$", env=env).code == 128 + signal.SIGTERM
    assert left_behind(machine) == []


def test_a_denial_can_fail_the_run(machine: Machine, agent: list[str]) -> None:
    capped = [*RUN, "--budget", "1c", "--fail-on-denied", "--", *agent]
    assert machine.run(*capped, "1", env=temporary(machine)).code == 0
    assert machine.run(*capped, "5", env=temporary(machine)).code == 6


def test_a_running_daemon_is_used_and_keeps_nothing_but_the_events(
    machine: Machine, agent: list[str], start: StartDaemon
) -> None:
    daemon = start("--upstream", "fake")
    keys, budgets = daemon.call("GET", "/api/keys").json["data"], daemon.call("GET", "/api/budgets").json["data"]
    done = machine.run("run", "--budget", "2c", "--tag", "team=ci", "--", *agent, "2")
    assert (done.code, done.out) == (0, "calls: 2\n"), done.err
    assert daemon.call("GET", "/api/keys").json["data"] == keys
    assert daemon.call("GET", "/api/budgets").json["data"] == budgets
    events = daemon.call("GET", "/api/cost-events").json["data"]
    assert [event["costMicrodollars"] for event in events] == [COST, COST]
    assert {event["tags"]["team"] for event in events} == {"ci"}
    assert {event["sessionId"] for event in events} == {event["keyName"] for event in events}


def test_the_session_limit_stops_a_run(machine: Machine, agent: list[str]) -> None:
    done = machine.run(*RUN, "--session-max", "1c", "--", *agent, "5", env=temporary(machine))
    assert done.out == "stopped: session_limit_exceeded\ncalls: 1\n"


def test_the_velocity_limit_stops_a_run(machine: Machine, agent: list[str]) -> None:
    done = machine.run(*RUN, "--velocity", "1c", "--report", "r.json", "--", *agent, "2", env=temporary(machine))
    assert "calls: 1\n" in done.out
    assert json.loads((machine.home / "r.json").read_text())["denials"][0]["reason"] == "rate_limit"


def test_a_client_that_reads_only_the_base_url_is_capped_too(machine: Machine) -> None:
    script = """
import json, os, urllib.error, urllib.request
body = json.dumps({"model": "fake/small", "messages": [], "fake": {"outputTokens": 10000}, "max_tokens": 10000})
try:
    for _ in range(9):
        request = urllib.request.Request(
            os.environ["OPENAI_BASE_URL"] + "/chat/completions", body.encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(request).read()
except urllib.error.HTTPError as error:
    print(error.code, json.load(error)["error"]["code"])
"""
    done = machine.run(*RUN, "--budget", "2c", "--", sys.executable, "-c", script, env=temporary(machine))
    assert done.out == "429 budget_exceeded\n"


def test_a_client_without_a_provider_key_can_call_the_fake_provider(machine: Machine) -> None:
    script = "from openai import OpenAI; import os; OpenAI(); print(os.environ['ANTHROPIC_API_KEY'])"
    ran = (*RUN, "--", sys.executable, "-c", script)
    assert machine.run(*ran, env=temporary(machine)).out == "fake\n"
    own = {**temporary(machine), "ANTHROPIC_API_KEY": "sk-of-mine"}
    assert machine.run(*ran, env=own).out == "sk-of-mine\n"


def test_the_reports_are_markdown_and_junit_by_their_names(machine: Machine, agent: list[str]) -> None:
    env = {**temporary(machine), "GITHUB_STEP_SUMMARY": str(machine.home / "summary.md")}
    for name in ("r.md", "r.xml"):
        machine.run(*RUN, "--budget", "2c", "--report", name, "--", *agent, "9", env=env)
    markdown = (machine.home / "r.md").read_text()
    assert "### NullSpend: Spent $0.018450 of $0.02, $0.001550 left; 1 call denied" in markdown
    assert "| openai | fake/small | 3 | 3,000 | 30,000 | $0.018450 |" in markdown
    assert (machine.home / "summary.md").read_text().count("### NullSpend: Spent $0.018450") == 2
    suite = ElementTree.parse(machine.home / "r.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    properties = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert properties["nullspend.cost_microdollars"] == str(3 * COST)


def test_a_report_without_a_format_is_refused_before_anything_runs(machine: Machine) -> None:
    done = machine.run("run", "--report", "r.txt", "--", "touch", "ran")
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "error: r.txt says no format; name the report *.md, *.json or *.xml.",
    )
    assert not (machine.home / "ran").exists()


def test_a_program_that_is_not_there_is_a_sentence(machine: Machine) -> None:
    done = machine.run("run", "--", "no-such-program", env=temporary(machine))
    assert (done.code, done.err.splitlines()[0]) == (5, "error: There is no program 'no-such-program' to run.")
    assert left_behind(machine) == []


def started(machine: Machine, *arguments: str) -> "subprocess.Popen[bytes]":
    """`nullspend run ...` in the background, once its command has said that it runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nullspend_cli", "run", *arguments],
        env={**machine.env, **temporary(machine)},
        cwd=machine.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # no terminal: whoever sends a signal sends it to this process alone
    )
    assert process.stdout
    assert process.stdout.readline() == b"running\n"
    return process


WAITS = """
import os, signal, time
def end(number, frame):
    os.write(1, f"got {signal.Signals(number).name}\\n".encode())
    os._exit(7)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, end)
os.write(1, b"running\\n")
time.sleep(60)
"""
COUNTS = """
import os, signal, time
heard = []
signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
os.write(1, b"running\\n")
deadline = time.monotonic() + 60
while not heard and time.monotonic() < deadline:
    time.sleep(0.02)
time.sleep(1)
os.write(1, f"heard {len(heard)}\\n".encode())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_goes_on_to_the_command_and_the_report_still_comes(machine: Machine, number: signal.Signals) -> None:
    process = started(machine, "--", sys.executable, "-c", WAITS)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert out.decode() == f"got {number.name}\n"
    assert process.returncode == 7
    assert "Spent $0.00; 0 calls denied." in err.decode()
    assert left_behind(machine) == []


def test_nothing_is_left_when_the_run_itself_is_killed(machine: Machine) -> None:
    process = started(machine, "--", sys.executable, "-c", WAITS)
    process.kill()
    assert left_behind(machine) == []
    assert process.stdout and process.stderr
    process.stdout.close()
    process.stderr.close()
    process.wait()


def test_a_key_of_a_killed_run_is_revoked_on_a_shared_daemon(machine: Machine, start: StartDaemon) -> None:
    daemon = start()
    process = started(machine, "--budget", "$1", "--", sys.executable, "-c", WAITS)
    assert len(daemon.call("GET", "/api/keys").json["data"]) == 2
    process.kill()
    deadline = time.monotonic() + 20
    while len(daemon.call("GET", "/api/keys").json["data"]) == 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [key["name"] for key in daemon.call("GET", "/api/keys").json["data"]] == ["default"]
    assert daemon.call("GET", "/api/budgets").json["data"] == []
    assert process.stdout and process.stderr
    process.stdout.close()
    process.stderr.close()
    process.wait()


def test_ctrl_c_in_a_terminal_reaches_the_command_once(machine: Machine) -> None:
    (machine.home / "counts.py").write_text(COUNTS)
    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "nullspend_cli", "run", "--", sys.executable, "counts.py"],
        env={**machine.env, **temporary(machine), "TERM": "xterm"},
        cwd=str(machine.home),
        encoding="utf-8",
        timeout=30,
    )
    terminal.expect("running")
    terminal.sendintr()
    terminal.expect("heard 1\r\n")
    terminal.expect("Spent")
    terminal.expect(pexpect.EOF)
    whole = str(terminal.before)
    terminal.close()
    assert "Traceback" not in whole
    assert terminal.exitstatus == 0
    assert left_behind(machine) == []


def test_a_child_that_leaves_a_process_behind_leaves_it_without_a_key(machine: Machine, start: StartDaemon) -> None:
    daemon = start("--upstream", "fake")
    script = "import os, sys\nif os.fork() == 0:\n    os.setsid(); os.execvp('sleep', ['sleep', '2'])\n" + (
        "print(os.environ['NULLSPEND_API_KEY'])"
    )
    begun = time.monotonic()
    with (machine.home / "out").open("wb") as out:
        process = subprocess.run(
            [sys.executable, "-m", "nullspend_cli", "run", "--", sys.executable, "-c", script],
            env=machine.env,
            cwd=machine.home,
            stdout=out,
            stderr=subprocess.DEVNULL,
        )
    assert process.returncode == 0
    assert time.monotonic() - begun < 20
    key = (machine.home / "out").read_text().strip()
    body: dict[str, Any] = {"model": "fake/x", "messages": []}
    refused = daemon.call("POST", "/v1/chat/completions", body, auth=None, headers={"X-NullSpend-Key": key})
    assert (refused.status, refused.json["error"]["code"]) == (401, "unauthorized")


def test_it_runs_without_home_keyring_or_a_writable_place_but_temporary(machine: Machine, agent: list[str]) -> None:
    env = {**machine.env, **temporary(machine)}
    for name in ("HOME", "NULLSPEND_DATA_DIR", "NULLSPEND_CONFIG_DIR"):
        env.pop(name)
    env |= {"XDG_DATA_HOME": "/proc/none", "XDG_CONFIG_HOME": "/proc/none", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "nullspend_cli", *RUN, "--budget", "1c", "--", *agent, "1"],
        env=env,
        cwd=machine.home,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "calls: 1\n"), done.stderr
    assert left_behind(machine) == []


def test_kept_ground_is_named_and_stays(machine: Machine, agent: list[str]) -> None:
    done = machine.run(*RUN, "--keep", "--budget", "2c", "--", *agent, "1", env=temporary(machine))
    (folder,) = (machine.home / "tmp").iterdir()
    assert f"data in {folder / 'data'}" in done.err
    listed = machine.run("events", "list", "--json", env={"NULLSPEND_DATA_DIR": str(folder / "data")})
    assert [event["costMicrodollars"] for event in listed.json] == [COST]
    assert machine.run("daemon", "stop", env={"NULLSPEND_DATA_DIR": str(folder / "data")}).code == 0


def test_eight_runs_at_once_keep_to_their_own_budgets(machine: Machine, agent: list[str]) -> None:
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "nullspend_cli",
                *RUN,
                "--budget",
                "2c",
                "--report",
                f"{n}.json",
                "--",
                *agent,
                "9",
            ],
            env={**machine.env, **temporary(machine)},
            cwd=machine.home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for n in range(8)
    ]
    assert [process.wait(120) for process in processes] == [0] * 8
    reports = [json.loads((machine.home / f"{n}.json").read_text()) for n in range(8)]
    assert [report["spentMicrodollars"] for report in reports] == [3 * COST] * 8
    assert left_behind(machine) == []
    assert os.listdir(machine.home / "tmp") == []
