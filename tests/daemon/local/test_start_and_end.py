"""Starting and ending: the data directory, the lock, the state file, and why a daemon will not start."""

import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from nullspend_daemon.store import schema
from nullspend_daemon.store.migrations import MIGRATIONS
from tests.conftest import StartDaemon
from tests.machine import Machine


def refused(machine: Machine, *flags: str) -> str:
    """Starts a daemon that must not start; returns its one sentence."""
    done = subprocess.run(
        [sys.executable, "-m", "nullspend_daemon", "--port", "0", *flags],
        capture_output=True,
        text=True,
        env=machine.env,
        timeout=30,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    sentence = [line for line in done.stderr.splitlines() if line.startswith("nullspend: ")]
    assert len(sentence) == 1, done.stderr
    return sentence[0]


def test_the_ready_line_is_the_only_output_and_says_where(machine: Machine) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "nullspend_daemon", "--port", "0"], stdout=subprocess.PIPE, env=machine.env, text=True
    )
    assert process.stdout
    line = process.stdout.readline()
    assert line.startswith("listening on http://127.0.0.1:")
    process.terminate()
    assert process.wait(20) == 0
    assert process.stdout.read() == ""
    process.stdout.close()


def test_the_state_file_tells_the_command_everything_and_nobody_else(start: StartDaemon, machine: Machine) -> None:
    daemon = start()
    state = daemon.state
    assert set(state) == {
        "url",
        "pid",
        "version",
        "apiVersion",
        "startedAt",
        "dataDir",
        "hosted",
        "testClock",
        "adminToken",
        "owner",
    }
    assert set(state["owner"]) == {"userId", "email", "orgId", "cookie", "apiKey"}
    assert (state["pid"], state["dataDir"], state["apiVersion"]) == (
        daemon.process.pid,
        str(machine.data),
        "2026-04-01",
    )
    assert (state["hosted"], state["testClock"]) == (False, False)
    assert state["owner"]["cookie"].startswith("nullspend_session=")


def test_every_file_is_private(start: StartDaemon, machine: Machine) -> None:
    daemon = start()
    daemon.call("GET", "/api/nothing")
    assert stat.S_IMODE(machine.data.stat().st_mode) == 0o700
    for path in machine.data.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    names = {path.name for path in machine.data.iterdir()}
    assert {"nullspend.db", "daemon.json", "daemon.lock", "secret.key", "default-key"} <= names


def test_the_state_file_goes_with_the_daemon(start: StartDaemon, machine: Machine) -> None:
    daemon = start()
    assert daemon.end(signal.SIGTERM) == 0
    assert not (machine.data / "daemon.json").exists()
    daemon = start()
    assert daemon.end(signal.SIGINT) == 0
    assert not (machine.data / "daemon.json").exists()


def test_the_state_file_never_follows_a_symlink(start: StartDaemon, machine: Machine, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    machine.data.mkdir(mode=0o700, parents=True)
    (machine.data / "daemon.json").symlink_to(victim)
    daemon = start()
    assert victim.read_text() == "precious"
    assert not (machine.data / "daemon.json").is_symlink()
    assert daemon.state["pid"] == daemon.process.pid


def test_a_second_daemon_on_the_same_data_is_refused_by_the_name_of_the_first(
    start: StartDaemon, machine: Machine
) -> None:
    first = start()
    sentence = refused(machine)
    assert first.url in sentence
    assert str(first.process.pid) in sentence
    assert "nullspend daemon stop" in sentence
    assert first.call("GET", "/api/health").status == 200


def test_a_killed_daemon_leaves_nothing_that_stops_the_next(start: StartDaemon, machine: Machine) -> None:
    killed = start()
    cookie = killed.state["owner"]["cookie"]
    killed.end(signal.SIGKILL)
    assert (machine.data / "daemon.json").exists()
    daemon = start()
    assert daemon.state["pid"] == daemon.process.pid
    assert daemon.call("GET", "/api/auth/session", auth=None, headers={"Cookie": cookie}).status == 401


def test_each_start_mints_new_credentials_and_revokes_the_last_ones(start: StartDaemon) -> None:
    first = start()
    before = first.state
    first.end()
    second = start()
    after = second.state
    assert before["adminToken"] != after["adminToken"]
    assert before["owner"]["cookie"] != after["owner"]["cookie"]
    assert before["owner"]["userId"] == after["owner"]["userId"]
    assert before["owner"]["apiKey"] == after["owner"]["apiKey"]
    old = {"Cookie": before["owner"]["cookie"]}
    assert second.call("GET", "/api/auth/session", auth=None, headers=old).status == 401
    token = {"Authorization": f"Bearer {before['adminToken']}"}
    assert second.call("GET", "/_local/users", auth=None, headers=token).status == 401


def test_a_lost_default_key_is_replaced_by_a_new_one(start: StartDaemon, machine: Machine) -> None:
    first = start()
    before = first.key
    first.end()
    (machine.data / "default-key").unlink()
    second = start()
    assert second.key != before
    assert (machine.data / "default-key").read_text().strip() == second.key
    assert second.call("GET", "/api/auth/introspect", auth="key").status == 200


def test_a_revoked_default_key_is_replaced_by_a_new_one(start: StartDaemon) -> None:
    first = start()
    key_id = first.call("GET", "/api/auth/introspect", auth="key").json["keyId"]
    first.call("DELETE", f"/api/keys/{key_id}")
    before = first.key
    first.end()
    second = start()
    assert second.key != before
    assert second.call("GET", "/api/auth/introspect", auth="key").json["keyId"] != key_id


def test_a_taken_port_is_named(machine: Machine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert f"127.0.0.1:{port} cannot be listened on" in refused(machine, "--port", port)
    assert not (machine.data / "daemon.json").exists()


@pytest.mark.parametrize(
    ("flags", "says"), [(["--port", "70000"], "is no port"), (["--rate-limit", "0"], "lets nothing")]
)
def test_a_flag_out_of_range_is_explained(machine: Machine, flags: list[str], says: str) -> None:
    assert says in refused(machine, *flags)


def test_a_data_directory_that_others_can_read_is_refused_with_the_command_that_mends_it(machine: Machine) -> None:
    machine.data.mkdir()
    machine.data.chmod(0o750)
    sentence = refused(machine)
    assert "0750" in sentence
    assert f"chmod 700 {machine.data}" in sentence


def test_a_data_directory_that_cannot_be_made_is_named(machine: Machine) -> None:
    (machine.home / "file").write_text("in the way")
    assert str(machine.home / "file" / "below") in refused(machine, "--data-dir", str(machine.home / "file" / "below"))


def database(machine: Machine) -> Path:
    machine.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return machine.data / "nullspend.db"


def test_a_file_that_is_no_database_is_named_and_left_alone(machine: Machine) -> None:
    path = database(machine)
    path.write_bytes(b"this is no database, and it is longer than a header" * 40)
    before = path.read_bytes()
    assert "is not a database" in refused(machine)
    assert path.read_bytes() == before


def test_another_programs_database_is_named_and_left_alone(machine: Machine) -> None:
    path = database(machine)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE precious (x)")
    connection.close()
    assert "is a database of another program" in refused(machine)
    with sqlite3.connect(path) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema")]
    connection.close()
    assert tables == ["precious"]


def test_a_database_of_a_newer_version_is_named_with_the_way_out(start: StartDaemon, machine: Machine) -> None:
    start().end()
    with sqlite3.connect(database(machine)) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('nullspend', 'm999_later', '')"
        )
    connection.close()
    sentence = refused(machine)
    assert "newer NullSpend" in sentence
    assert "m999_later" in sentence
    assert "pip install -U nullspend-cli" in sentence


def test_a_damaged_secret_is_named(start: StartDaemon, machine: Machine) -> None:
    start().end()
    (machine.data / "secret.key").write_bytes(b"short")
    assert "secret.key is damaged" in refused(machine)


def test_listening_beyond_this_machine_says_what_that_exposes(machine: Machine) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "nullspend_daemon", "--port", "0", "--host", "0.0.0.0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=machine.env,
        text=True,
    )
    assert process.stdout
    assert process.stderr
    url = json.loads(process.stdout.readline())["url"]
    process.terminate()
    process.wait(20)
    told = process.stderr.read()
    process.stdout.close()
    process.stderr.close()
    assert url.startswith("http://127.0.0.1:")
    assert "exposes the API" in told


def test_a_stop_finishes_the_request_that_is_running(start: StartDaemon) -> None:
    daemon = start()
    blocker = sqlite3.connect(daemon.data / "nullspend.db", isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")
    statuses: list[int] = []
    event = {"provider": "p", "model": "m", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": 1}
    caller = threading.Thread(
        target=lambda: statuses.append(daemon.call("POST", "/api/cost-events", event, auth="key").status)
    )
    caller.start()
    time.sleep(0.3)
    os.kill(daemon.process.pid, signal.SIGTERM)
    time.sleep(0.2)
    blocker.execute("ROLLBACK")
    blocker.close()
    caller.join(15)
    assert statuses == [201]
    assert daemon.process.wait(20) == 0


def test_stop_over_http_is_answered_and_then_the_process_ends(start: StartDaemon) -> None:
    daemon = start()
    reply = daemon.call("POST", "/_local/stop", auth="admin")
    assert (reply.status, reply.json) == (202, {"success": True})
    assert daemon.process.wait(20) == 0


def test_the_data_survives_a_restart(start: StartDaemon) -> None:
    first = start()
    made = first.call("POST", "/api/keys", {"name": "kept"}).json["id"]
    first.end()
    assert made in [each["id"] for each in start().call("GET", "/api/keys").json["data"]]


def test_an_older_database_is_copied_aside_before_it_is_migrated(
    start: StartDaemon, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = MIGRATIONS.items()
    machine.data.mkdir(mode=0o700)
    with monkeypatch.context() as older:
        older.setattr(schema, "MIGRATIONS", dict([first]))
        schema.open_current(database(machine)).close()
    daemon = start()
    assert daemon.call("GET", "/api/cost-events/summary").status == 200
    (copy,) = machine.data.glob("nullspend.before-*.db")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_a_body_nobody_reads_does_not_hold_up_the_end(start: StartDaemon) -> None:
    daemon = start()
    request = (
        f"POST /_local/stop HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {daemon.state['adminToken']}\r\n"
        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", int(daemon.url.rpartition(":")[2])), timeout=30) as connection:
        connection.sendall(request.encode())
        time.sleep(0.3)  # the body comes in a packet of its own, later than the head
        connection.sendall(b"{}")
        assert b" 202 " in connection.recv(1000)
        assert daemon.process.wait(8) == 0, "the grace of ten seconds is for calls, not for a body"
