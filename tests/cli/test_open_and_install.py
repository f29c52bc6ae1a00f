"""`open`, and `daemon install`: what is handed over to the platform."""

import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nullspend_cli import service_units
from tests.conftest import StartDaemon
from tests.machine import Machine


def test_without_a_browser_the_address_is_printed(machine: Machine, start: StartDaemon) -> None:
    daemon = start()
    assert machine.run("open").out == f"{daemon.url}/app\n"
    assert machine.run("open", "budgets").out == f"{daemon.url}/app/budgets\n"
    shown = daemon.call("GET", "/app/budgets", auth=None)
    assert b"nullspend budgets list" in shown.body
    assert machine.run("open", "../x").code == 2


def test_a_browser_gets_the_address(machine: Machine, start: StartDaemon) -> None:
    daemon = start()
    browser = machine.home / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {machine.home / "opened"}\n')
    browser.chmod(0o755)
    done = machine.run("open", "keys", env={"BROWSER": f"{browser} %s"})
    assert (done.code, done.out, done.err) == (0, "", f"Opened {daemon.url}/app/keys\n")
    assert (machine.home / "opened").read_text() == f"{daemon.url}/app/keys\n"
    assert machine.run("open", "keys", "--print", env={"BROWSER": f"{browser} %s"}).out == f"{daemon.url}/app/keys\n"


def test_a_remote_context_opens_its_own_dashboard(machine: Machine) -> None:
    machine.run("contexts", "create", "hosted", "--url", "https://nullspend.example", "--use")
    assert machine.run("open", "keys").out == "https://nullspend.example/app/keys\n"


def test_the_unit_file_runs_this_python_with_the_options_given(machine: Machine) -> None:
    printed = machine.run("daemon", "install", "--print", "--port", "4800", "--data-dir", "/srv/a b%$/x").out
    assert f'ExecStart={sys.executable} -P -m nullspend_daemon --data-dir "/srv/a b%%$$/x" --port 4800\n' in printed
    assert f"Environment=NULLSPEND_CONFIG_DIR={machine.config}\n" in printed
    assert "\nWantedBy=default.target\n" in printed
    assert "ns_live_sk_" not in printed


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is needed to judge a unit file")
def test_systemd_itself_finds_nothing_wrong_with_the_file(machine: Machine) -> None:
    file = machine.home / "nullspend.service"
    file.write_text(machine.run("daemon", "install", "--print", "--data-dir", "/srv/a b%$/x").out)
    env = {**machine.env, "XDG_RUNTIME_DIR": str(machine.home)}
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", str(file)], env=env, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, "nullspend" in done.stderr) == (0, False), done.stderr


def test_the_launchd_file_carries_the_same_command() -> None:
    unit = service_units.unit(["--port", "4800"], {"A": "b c"}, "darwin")
    content = plistlib.loads(unit.text.encode())
    assert content["ProgramArguments"] == [sys.executable, "-P", "-m", "nullspend_daemon", "--port", "4800"]
    assert (content["RunAtLoad"], content["EnvironmentVariables"]) == (True, {"A": "b c"})
    assert unit.path == Path.home() / "Library/LaunchAgents/dev.nullspend.daemon.plist"
    assert unit.enable[0][0].startswith(f"launchctl bootstrap gui/{os.getuid()} ")


@pytest.mark.skipif(Path("/run/systemd/system").is_dir(), reason="systemd runs here, so installing would work")
def test_where_nothing_looks_after_services_it_says_what_to_do(machine: Machine) -> None:
    refused = machine.run("daemon", "install")
    assert refused.code == 1
    assert refused.err == (
        "error: Neither systemd nor launchd runs here, so there is nothing to install into.\n"
        "  in a container: make `nullspend daemon run` its command\n"
        "  with cron: @reboot nullspend daemon start\n"
        "  for another machine: nullspend daemon install --print\n"
        "next: nullspend daemon start\n"
    )


def test_the_file_is_written_to_the_users_folder_and_taken_away_again(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(machine.home / ".config"))
    unit = service_units.unit(["--port", "4800"], {}, "linux")
    service_units.write(unit)
    file = machine.home / ".config/systemd/user/nullspend.service"
    assert file.read_text() == unit.text
    assert machine.run("daemon", "uninstall").err.startswith(f"Removed {file}.\n")
    assert not file.exists()
    assert machine.run("daemon", "uninstall").err == f"There is no {file}.\n"
