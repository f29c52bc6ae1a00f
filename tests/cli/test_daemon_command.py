import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from nullspend_cli import daemon_data
from nullspend_daemon.store import schema
from tests.cli.steady import TIME, steady
from tests.conftest import StartDaemon
from tests.fakes.server import fake_server
from tests.machine import Machine


@pytest.fixture
def mine(machine: Machine) -> Iterator[Machine]:
    """A machine whose daemon the command itself starts; it is stopped at the end."""
    yield machine
    machine.run("daemon", "stop")


def start(machine: Machine, *flags: str) -> dict[str, object]:
    done = machine.run("daemon", "start", "--port", "0", *flags, "--json")
    assert done.code == 0, done.err
    return dict(done.json)


def test_start_returns_when_the_daemon_answers_and_a_second_start_finds_it(mine: Machine) -> None:
    first = mine.run("daemon", "start", "--port", "0")
    assert first.code == 0
    assert first.err.startswith("The daemon listens on http://127.0.0.1:")
    again = mine.run("daemon", "start")
    assert again.err == first.err.replace("The daemon listens on", "The daemon is running already on")
    assert mine.run("keys", "list").code == 0


def test_a_second_start_with_other_options_says_that_they_do_not_apply(mine: Machine) -> None:
    start(mine)
    again = mine.run("daemon", "start", "--hosted")
    assert again.code == 0
    assert again.err.endswith("next: nullspend daemon restart with the same options, to apply them\n")


def test_start_and_status_are_records_for_programs(mine: Machine) -> None:
    started = start(mine)
    assert list(started) == ["url", "pid", "version", "dataDir"]
    assert started["dataDir"] == str(mine.data)
    status = mine.run("daemon", "status", "--json").json
    assert (status["url"], status["pid"]) == (started["url"], started["pid"])
    assert status["counts"]["keys"] == 1
    assert mine.run("daemon", "status", "-q").out == f"{started['url']}\n"


def test_status_shows_what_runs(mine: Machine) -> None:
    url = start(mine, "--test-clock")["url"]
    lines = steady(mine.run("daemon", "status").out).splitlines()
    assert lines[0] == f"address        {url}"
    assert lines[2:8] == [
        "version        0.1.0",
        f"started        {TIME}",
        f"its time       {TIME}",
        "hosted limits  no",
        "test clock     yes",
        f"data           {steady(str(mine.data))}",
    ]
    assert lines[9] == "contents       1 user, 1 org, 1 key, 0 budgets, 0 events, 0 deliveries to make"


def test_stop_ends_the_process_and_a_second_stop_finds_none(mine: Machine) -> None:
    pid = int(str(start(mine)["pid"]))
    stopped = mine.run("daemon", "stop")
    assert stopped.code == 0
    assert stopped.err.startswith("Stopped the daemon on http://127.0.0.1:")
    assert not (mine.data / "daemon.json").exists()
    stat_file = Path(f"/proc/{pid}/stat")
    assert not stat_file.exists() or " Z " in stat_file.read_text()
    assert mine.run("daemon", "stop").err == "No daemon is running.\n"


def test_restart_keeps_address_and_modes_unless_others_are_given(mine: Machine) -> None:
    before = start(mine, "--test-clock", "--hosted")
    after = mine.run("daemon", "restart", "--json").json
    assert (after["url"], after["pid"] != before["pid"]) == (before["url"], True)
    status = mine.run("daemon", "status", "--json").json
    assert (status["testClock"], status["hosted"]) == (True, True)
    assert mine.run("daemon", "restart", "--port", "0", "--json").json["url"] != before["url"]


def test_restart_starts_one_when_none_runs(mine: Machine) -> None:
    assert mine.run("daemon", "restart", "--port", "0").code == 0
    assert mine.run("daemon", "status").code == 0


def test_every_flag_reaches_the_daemon(mine: Machine) -> None:
    started = start(
        mine, "--hosted", "--rate-limit", "7", "--allow-host", "box.local", "--allow-host", "b", "--trust-proxy"
    )
    command = Path(f"/proc/{started['pid']}/cmdline").read_text().split("\0")
    for words in (
        ["--hosted"],
        ["--rate-limit", "7"],
        ["--allow-host", "box.local"],
        ["--allow-host", "b"],
        ["--trust-proxy"],
    ):
        at = command.index(words[-1])
        assert command[at - len(words) + 1 : at + 1] == words


def test_a_port_in_use_is_said_with_what_to_do(mine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = mine.run("daemon", "start", "--port", str(port))
    assert (result.code, result.out) == (1, "")
    assert f"127.0.0.1:{port} cannot be listened on" in result.err
    assert "--port 0 for any free one" in result.err
    assert mine.run("daemon", "status").code == 7


@pytest.mark.parametrize(("flag", "value"), [("--port", "abc"), ("--port", "70000"), ("--rate-limit", "0")])
def test_a_flag_the_daemon_refuses_is_its_own_sentence(mine: Machine, flag: str, value: str) -> None:
    result = mine.run("daemon", "start", flag, value)
    assert result.code == 1
    assert value in result.err
    assert "Traceback" not in result.err


def test_a_data_directory_others_can_read_is_refused(mine: Machine) -> None:
    mine.data.mkdir(mode=0o755)
    mine.data.chmod(0o755)
    result = mine.run("daemon", "start", "--port", "0")
    assert result.code == 1
    assert f"chmod 700 {mine.data}" in result.err


def test_a_file_that_is_no_database_is_refused(mine: Machine) -> None:
    mine.data.mkdir(mode=0o700)
    (mine.data / "nullspend.db").write_text("not a database, but long enough to be read as one" * 100)
    result = mine.run("daemon", "start", "--port", "0")
    assert result.code == 1
    assert "nullspend.db is not a database" in result.err


def test_run_is_the_server_in_the_foreground(mine: Machine) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "nullspend_cli", "daemon", "run", "--port", "0"],
        env=mine.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    line = process.stdout.readline()
    assert line.startswith("listening on http://127.0.0.1:")
    assert json.loads((mine.data / "daemon.json").read_text())["pid"] == process.pid
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=20)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_run_with_json_prints_one_object(mine: Machine) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "nullspend_cli", "daemon", "run", "--port", "0", "--json"],
        env=mine.env,
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    ready = json.loads(process.stdout.readline())
    assert list(ready) == ["url", "pid", "dataDir", "version"]
    assert mine.run("daemon", "stop").code == 0
    assert process.wait(20) == 0
    process.stdout.close()


def test_a_folder_called_like_the_daemon_is_not_run(mine: Machine) -> None:
    (mine.home / "nullspend_daemon").mkdir()
    (mine.home / "nullspend_daemon" / "__main__.py").write_text("print('not the daemon')")
    env = {"PYTHONPATH": mine.env["PYTHONPATH"]}
    assert mine.run("daemon", "start", "--port", "0", env=env, cwd=mine.home).code == 0


def test_a_state_file_nobody_stands_behind_is_as_good_as_none(mine: Machine) -> None:
    start(mine)
    state = json.loads((mine.data / "daemon.json").read_text())
    mine.run("daemon", "stop")
    path = mine.data / "daemon.json"
    for stale in (
        {**state, "pid": 2**22 + 1},
        {**state, "pid": os.getpid()},
    ):
        path.write_text(json.dumps(stale))
        assert mine.run("daemon", "status").code == 7
        assert mine.run("keys", "list").err.endswith("next: nullspend daemon start\n")
        assert mine.run("daemon", "stop").err == "No daemon is running.\n"
    os.kill(os.getpid(), 0)


def test_another_server_at_the_old_address_gets_no_credential(mine: Machine) -> None:
    start(mine)
    state = json.loads((mine.data / "daemon.json").read_text())
    mine.run("daemon", "stop")
    with fake_server() as impostor:
        impostor.answer("GET", "/_local/info", {"startedAt": "2020-01-01T00:00:00.000Z"})
        (mine.data / "daemon.json").write_text(json.dumps({**state, "url": impostor.url, "pid": os.getpid()}))
        for command in (("keys", "list"), ("daemon", "status"), ("daemon", "stop")):
            mine.run(*command)
        sent = [set(asked.headers) & {"cookie", "authorization", "x-nullspend-key"} for asked in impostor.asked]
    assert sent and not any(sent)


def test_a_stranger_who_breaks_off_at_the_old_address_is_neither_told_nor_ended(mine: Machine) -> None:
    start(mine)
    state = json.loads((mine.data / "daemon.json").read_text())
    mine.run("daemon", "stop")
    heard: list[bytes] = []
    bystander = subprocess.Popen(["sleep", "60"])
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def break_off() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection:
                        heard.append(connection.recv(65_536))

        threading.Thread(target=break_off, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        (mine.data / "daemon.json").write_text(json.dumps({**state, "url": url, "pid": bystander.pid}))
        assert mine.run("daemon", "stop").err == "No daemon is running.\n"
        assert mine.run("keys", "list").err.endswith("next: nullspend daemon start\n")
    assert heard
    assert not any(word in asked.lower() for asked in heard for word in (b"authorization", b"cookie", b"nullspend-key"))
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


@pytest.mark.parametrize("content", ["", "not json", "[]", "{}", '{"url": "ftp://x", "pid": 1}'])
def test_a_damaged_state_file_is_as_good_as_none(machine: Machine, content: str) -> None:
    machine.data.mkdir(mode=0o700)
    (machine.data / "daemon.json").write_text(content)
    result = machine.run("keys", "list")
    assert (result.code, result.err) == (
        7,
        f"error: No daemon is running on {machine.data}.\nnext: nullspend daemon start\n",
    )


def test_a_link_in_place_of_the_state_file_is_not_followed(mine: Machine) -> None:
    start(mine)
    path = mine.data / "daemon.json"
    moved = mine.home / "elsewhere.json"
    path.rename(moved)
    path.symlink_to(moved)
    assert mine.run("daemon", "status").code == 7
    path.unlink()
    moved.rename(path)


def test_the_log_is_shown_from_its_end(machine: Machine) -> None:
    assert machine.run("daemon", "logs").err == f"Nothing has been logged in {machine.data} yet.\n"
    machine.data.mkdir(mode=0o700)
    (machine.data / "daemon.log").write_text("".join(f"line {n} \x1b[2J\n" for n in range(1000)))
    assert machine.run("daemon", "logs", "-n", "2").out == "line 998 \\x1b[2J\nline 999 \\x1b[2J\n"
    assert len(machine.run("daemon", "logs").out.splitlines()) == 50


def test_the_log_is_followed_also_when_a_new_one_begins(machine: Machine) -> None:
    machine.data.mkdir(mode=0o700)
    log = machine.data / "daemon.log"
    log.write_text("old\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "nullspend_cli", "daemon", "logs", "--follow"],
        env=machine.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "old\n"
    with log.open("a") as file:
        file.write("new\n")
    assert process.stdout.readline() == "new\n"
    log.rename(machine.data / "daemon.log.1")
    log.write_text("after rotation\n")
    assert process.stdout.readline() == "after rotation\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (130, "\n")


@pytest.mark.parametrize(
    ("format", "lines"),
    [
        ("export", "export {0}={2}\n"),
        ("dotenv", "{0}={2}\n"),
        ("fish", "set -gx {0} '{1}'\n"),
        ("powershell", "$env:{0} = '{1}'\n"),
    ],
)
def test_the_environment_for_every_reader(machine: Machine, start: StartDaemon, format: str, lines: str) -> None:
    running = start()
    header = f"X-NullSpend-Key: {running.key}"
    expected = [
        ("NULLSPEND_BASE_URL", running.url),
        ("NULLSPEND_API_KEY", running.key),
        ("NULLSPEND_PROXY_URL", running.url),
        ("OPENAI_BASE_URL", f"{running.url}/v1"),
        ("ANTHROPIC_BASE_URL", running.url),
        ("OPENAI_CUSTOM_HEADERS", header),
        ("ANTHROPIC_CUSTOM_HEADERS", header),
    ]
    printed = "".join(lines.format(name, value, f"'{value}'" if " " in value else value) for name, value in expected)
    assert machine.run("daemon", "env", "--format", format).out == printed
    assert machine.run("daemon", "env", "--format", "json").json == dict(expected)


def test_the_key_may_stand_in_the_clients_urls(machine: Machine, start: StartDaemon) -> None:
    running = start()
    found = machine.run("daemon", "env", "--key-in-path", "--format", "json").json
    assert found["OPENAI_BASE_URL"] == f"{running.url}/k/{running.key}/v1"
    assert found["ANTHROPIC_BASE_URL"] == f"{running.url}/k/{running.key}"
    assert found["NULLSPEND_PROXY_URL"] == running.url
    assert not {"OPENAI_CUSTOM_HEADERS", "ANTHROPIC_CUSTOM_HEADERS"} & found.keys()


def test_a_shell_that_reads_the_environment_has_it(machine: Machine, start: StartDaemon) -> None:
    running = start()
    script = f'eval "$({sys.executable} -m nullspend_cli daemon env)"; echo "$NULLSPEND_BASE_URL $NULLSPEND_API_KEY"'
    done = subprocess.run(["sh", "-c", script], env=machine.env, capture_output=True, text=True)
    assert done.stdout == f"{running.url} {running.key}\n"


def test_the_environment_in_no_known_format_names_those_there_are(daemon: object, machine: Machine) -> None:
    result = machine.run("daemon", "env", "--format", "xml")
    assert (result.code, result.err) == (
        2,
        "error: There is no format 'xml'; there are export, dotenv, json, fish, powershell.\n",
    )


def test_a_backup_is_restored_and_what_was_there_is_kept(mine: Machine) -> None:
    start(mine)
    mine.run("keys", "create", "before")
    made = mine.run("daemon", "backup", "copy.db", cwd=mine.home)
    assert made.err.endswith(f" to {mine.home / 'copy.db'}.\n")
    assert stat.S_IMODE((mine.home / "copy.db").stat().st_mode) == 0o600
    mine.run("keys", "create", "after")
    assert mine.run("daemon", "backup", "copy.db", cwd=mine.home).code == 1
    running = mine.run("daemon", "restore", "copy.db", "--yes", cwd=mine.home)
    assert (running.code, running.err) == (1, "error: The daemon is running.\nnext: nullspend daemon stop\n")
    mine.run("daemon", "stop")
    unasked = mine.run("daemon", "restore", "copy.db", cwd=mine.home)
    assert unasked.code == 2
    assert f"Replace all data in {mine.data} with copy.db?" in unasked.err
    restored = mine.run("daemon", "restore", "copy.db", "--yes", cwd=mine.home)
    assert restored.code == 0
    (kept,) = mine.data.glob("nullspend.before-restore-*.db")
    assert f"What was there is now {kept}." in restored.err
    start(mine)
    assert mine.run("keys", "list", "--jq", "[.[].name]").json == ["before", "default"]
    with sqlite3.connect(kept) as old:
        assert old.execute("SELECT count(*) FROM api_keys WHERE name = 'after'").fetchone() == (1,)
    old.close()


def test_a_backup_without_a_name_gets_one_with_the_time(mine: Machine) -> None:
    start(mine)
    made = mine.run("daemon", "backup", "--json", cwd=mine.home).json
    assert Path(made["path"]).parent == mine.home
    assert Path(made["path"]).stat().st_size == made["bytes"]
    missing = mine.run("daemon", "backup", "no/such/folder.db", cwd=mine.home)
    assert (missing.code, missing.err) == (
        5,
        f"error: There is no folder {mine.home / 'no/such'}.\nnext: mkdir -p '{mine.home / 'no/such'}'\n",
    )


def test_the_stamp_of_a_backup_is_the_daemons() -> None:
    assert daemon_data.APPLICATION_ID == schema.APPLICATION_ID


@pytest.mark.parametrize("content", [b"", b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_what_is_no_database_is_not_restored(machine: Machine, content: bytes) -> None:
    machine.data.mkdir(mode=0o700)
    (machine.data / "nullspend.db").write_text("precious")
    (machine.home / "bad.db").write_bytes(content)
    result = machine.run("daemon", "restore", "bad.db", "--yes", cwd=machine.home)
    assert result.code == 1
    assert "bad.db is no backup of a database" in result.err
    assert (machine.data / "nullspend.db").read_text() == "precious"
    assert machine.run("daemon", "restore", "none.db", "--yes", cwd=machine.home).code == 5


def test_a_daemon_that_does_not_answer_still_protects_its_data(machine: Machine, start: StartDaemon) -> None:
    running = start()
    (machine.data / "daemon.json").rename(machine.home / "aside")
    for command in (("daemon", "wipe", "--yes"),):
        result = machine.run(*command)
        assert (result.code, result.err) == (
            1,
            f"error: A daemon is using {machine.data}.\nnext: nullspend daemon stop\n",
        )
    (machine.home / "aside").rename(machine.data / "daemon.json")
    assert running.call("GET", "/api/health", auth=None).status == 200


@pytest.mark.slow
def test_a_daemon_that_hangs_is_said_to_and_can_be_stopped(mine: Machine) -> None:
    pid = int(str(start(mine)["pid"]))
    os.kill(pid, signal.SIGSTOP)
    try:
        for command in (("budgets", "list"), ("daemon", "status"), ("daemon", "start"), ("daemon", "wipe", "--yes")):
            result = mine.run(*command)
            assert (result.code, result.err) == (
                7,
                f"error: The daemon on {mine.data} (process {pid}) does not answer.\nnext: nullspend daemon restart\n",
            )
        assert f"The daemon on {mine.data} (process {pid}) does not answer" in " ".join(mine.run("doctor").out.split())
        threading.Timer(12, os.kill, (pid, signal.SIGCONT)).start()
        stopped = mine.run("daemon", "stop")  # its signal arrives when the daemon is let go on
        assert (stopped.code, stopped.err[:21]) == (0, "Stopped the daemon on")
    finally:
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGCONT)


def test_wipe_asks_names_the_folder_and_leaves_other_files(mine: Machine) -> None:
    start(mine)
    mine.run("keys", "create", "gone")
    assert f"Delete all data in {mine.data}? This cannot be undone." in mine.run("daemon", "wipe").err
    assert mine.run("daemon", "wipe", "--yes").err == "All data is gone.\n"
    assert mine.run("keys", "list", "--jq", ".[].name").out == "default\n"
    mine.run("daemon", "stop")
    (mine.data / "notes.txt").write_text("mine")
    assert mine.run("daemon", "wipe", "--yes").code == 0
    assert sorted(path.name for path in mine.data.iterdir() if path.name != "daemon.lock") == ["notes.txt"]
    assert mine.run("daemon", "wipe", "--yes").err == f"There was no data in {mine.data}.\n"


def test_check_says_that_all_agrees(mine: Machine) -> None:
    start(mine)
    checked = mine.run("daemon", "check")
    assert (checked.code, checked.err) == (0, "The database is whole and every figure agrees.\n")
    assert mine.run("daemon", "check", "--json").json == {"ok": True, "differences": []}


def test_check_names_what_differs_and_repairs_it(mine: Machine) -> None:
    start(mine)
    mine.run("budgets", "set", "--key", "default", "--max", "$5")
    mine.run("events", "report", "--provider", "p", "--model", "m", "--cost", "$1")
    mine.run("daemon", "stop")
    with sqlite3.connect(mine.data / "nullspend.db") as database:
        database.execute("UPDATE budgets SET spend_microdollars = 5")
    database.close()
    start(mine)
    found = mine.run("daemon", "check")
    assert found.code == 1
    assert found.err.startswith("error: The figures and their events do not agree.\n  ")
    assert found.err.endswith("next: nullspend daemon check --repair\n")
    assert mine.run("daemon", "check", "--repair").code == 0
    assert mine.run("budgets", "list", "--json").json[0]["spendMicrodollars"] == 1_000_000


def test_a_server_too_old_to_check_itself_is_a_sentence(machine: Machine) -> None:
    with fake_server() as old:
        old.answer("GET", "/_local/info", {"startedAt": "2026-01-01T00:00:00.000Z"})
        owner = {"userId": "u", "email": "e", "orgId": "o", "cookie": "c=1", "apiKey": "k"}
        state = {
            "url": old.url,
            "pid": os.getpid(),
            "version": "0",
            "startedAt": "2026-01-01T00:00:00.000Z",
            "dataDir": str(machine.data),
            "hosted": False,
            "testClock": False,
            "adminToken": "t",
            "owner": owner,
        }
        machine.data.mkdir(mode=0o700)
        (machine.data / "daemon.json").write_text(json.dumps(state))
        result = machine.run("daemon", "check")
    assert (result.code, result.err) == (
        1,
        f"error: The daemon at {old.url} is of a version that cannot check itself.\nnext: nullspend daemon restart\n",
    )


def test_another_data_directory_is_another_daemon(mine: Machine) -> None:
    start(mine)
    other = mine.home / "other"
    assert mine.run("daemon", "status", "--data-dir", str(other)).code == 7
    second = mine.run("daemon", "start", "--port", "0", "--data-dir", "other", "--json", cwd=mine.home).json
    assert second["dataDir"] == str(other)
    assert second["url"] != mine.run("daemon", "status", "--json").json["url"]
    assert mine.run("daemon", "stop", "--data-dir", str(other)).code == 0
    assert mine.run("daemon", "status").code == 0
