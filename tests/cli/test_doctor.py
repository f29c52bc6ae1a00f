"""`nullspend doctor`: every finding, and the command that mends it."""

import json
import os
import re
import time
from pathlib import Path

import pytest

from nullspend_cli.doctor.examination import look, verdict
from nullspend_cli.doctor.findings import OK, Finding
from tests.conftest import StartDaemon
from tests.fakes.server import FakeServer, Scripted
from tests.machine import Machine

NAMES = [
    "python",
    "versions",
    "config",
    "keyring",
    "data directory",
    "space",
    "lock",
    "completions",
    "daemon",
    "context",
    "tls",
    "credentials",
    "clock",
    "prices",
]


def findings(machine: Machine, code: int, **env: str) -> dict[str, dict[str, str]]:
    done = machine.run("doctor", "--json", env=env)
    assert done.code == code, done.err
    return {finding["check"]: finding for finding in done.json}


def test_a_healthy_machine_fails_in_nothing(machine: Machine, start: StartDaemon) -> None:
    daemon = start()
    found = findings(machine, 0)
    assert list(found) == NAMES
    assert {finding["status"] for finding in found.values()} == {"ok", "warn"}
    assert found["daemon"]["finding"] == f"{daemon.url} (process {daemon.ready['pid']})"
    assert found["credentials"]["finding"] == f"session and API key accepted by {daemon.url}"
    assert found["lock"]["finding"] == f"held by the daemon (process {daemon.ready['pid']})"
    assert found["keyring"] == {
        "check": "keyring",
        "status": "warn",
        "finding": f"no keyring keeps secrets here, so they are in {machine.config / 'credentials.json'}, "
        "which only you can read",
        "next": "Unlock or install a keyring (python -m keyring diagnose), or leave it so.",
    }


def test_an_empty_machine_warns_and_names_the_first_command(machine: Machine) -> None:
    found = findings(machine, 0)
    assert (found["daemon"]["status"], found["daemon"]["next"]) == ("warn", "nullspend daemon start")
    assert found["data directory"]["finding"].endswith("is made when the daemon first starts")
    assert not machine.data.exists()


def test_what_has_failed_is_said_in_whole_sentences_and_the_code_is_1(machine: Machine) -> None:
    machine.data.mkdir(mode=0o755)
    machine.data.chmod(0o755)
    machine.config.mkdir()
    (machine.config / "config.toml").write_text("limit = [\n")
    done = machine.run("doctor", env={"NO_COLOR": "1"})
    assert done.code == 1
    assert re.search(r"^fail  data directory  .* can be read by other users$", done.out, re.M)
    assert f"\n  data directory  chmod 700 '{machine.data}'\n" in done.err
    assert f"  data directory: {machine.data} can be read by other users\n" in done.err
    assert "checks have failed." in done.err
    assert "Traceback" not in done.err


def test_a_lock_that_no_daemon_stands_behind_is_a_failure(machine: Machine) -> None:
    from filelock import FileLock

    machine.data.mkdir(mode=0o700)
    with FileLock(machine.data / "daemon.lock", mode=0o600):
        found = findings(machine, 1)
    assert (found["lock"]["status"], found["lock"]["next"]) == ("fail", "nullspend daemon logs")


def test_a_stale_state_file_is_named(machine: Machine, start: StartDaemon) -> None:
    import signal

    start().end(signal.SIGKILL)
    assert findings(machine, 0)["daemon"]["finding"] == "daemon.json is there, but the daemon it names does not answer"


def test_a_refused_key_a_wrong_clock_and_a_closed_door(elsewhere: Machine, server: FakeServer) -> None:
    refused = Scripted(401, {"error": {"code": "authentication_required", "message": "No.", "details": None}})
    server.knows_everybody()
    server.answer("GET", "/api/keys", {"data": []})
    server.answer("GET", "/api/health", Scripted(200, {"status": "ok"}, (("Date", "Thu, 01 Jan 2026 00:00:00 GMT"),)))
    server.answer("GET", "/api/auth/introspect", refused)
    found = findings(elsewhere, 1)
    assert (found["credentials"]["status"], found["credentials"]["next"]) == (
        "fail",
        f"Set NULLSPEND_API_KEY for {server.url}.",
    )
    assert (found["clock"]["status"], found["clock"]["next"]) == ("fail", "timedatectl set-ntp true")
    assert f" ahead of {server.url}" in found["clock"]["finding"]
    closed = findings(elsewhere, 1, NULLSPEND_BASE_URL="http://127.0.0.1:9", NULLSPEND_TIMEOUT="2")
    assert closed["context"]["status"] == "fail"
    assert closed["context"]["finding"].startswith("No server answers at http://127.0.0.1:9: ")


def test_completions_are_found_stale_or_missing(machine: Machine) -> None:
    env = {"SHELL": "/usr/bin/fish"}
    file = machine.home / ".config/fish/completions/nullspend.fish"
    missing = findings(machine, 0, **env)["completions"]
    assert missing["next"] == f"mkdir -p '{file.parent}' && nullspend completion fish > '{file}'"
    file.parent.mkdir(parents=True)
    file.write_text(machine.run("completion", "fish").out)
    assert findings(machine, 0, **env)["completions"]["status"] == "ok"
    file.write_text("# of last year\n")
    assert findings(machine, 0, **env)["completions"]["finding"] == f"{file} is of another version"


def test_old_prices_are_a_warning(machine: Machine) -> None:
    machine.data.mkdir(mode=0o700)
    catalogue = machine.data / "catalogue.json"
    catalogue.touch(mode=0o600)
    os.utime(catalogue, (time.time() - 45 * 86_400,) * 2)
    prices = findings(machine, 0)["prices"]
    assert (prices["status"], prices["finding"], prices["next"]) == (
        "warn",
        "downloaded 45 days ago",
        "nullspend prices update",
    )


def test_a_check_that_breaks_is_a_failure_and_the_others_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    from nullspend_cli.doctor import machine, server
    from nullspend_cli.run import State

    def breaks(state: State) -> Finding:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(machine, "CHECKS", {"one": breaks})
    monkeypatch.setattr(server, "CHECKS", {"two": lambda state: Finding(OK, "fine")})
    found = list(look(State()))
    assert [finding["status"] for finding in found] == ["fail", "ok"]
    problem = verdict(found)
    assert problem is not None and problem.exit_code == 1
    assert "one: Unexpected ZeroDivisionError: oh" in problem.lines


def test_as_json_nothing_else_is_printed(machine: Machine, tmp_path: Path) -> None:
    done = machine.run("doctor", "--json")
    assert [finding["check"] for finding in json.loads(done.out)] == NAMES
    assert done.err == ""
