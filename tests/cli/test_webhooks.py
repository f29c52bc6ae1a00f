"""`nullspend webhooks`, run as a person runs it, against a real daemon and real receivers."""

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conftest import StartDaemon
from tests.fakes.receiver import receiver
from tests.machine import Daemon, Machine
from tests.recipes import holds_in_python


class Listening:
    """A running `webhooks listen`; its lines come one by one."""

    def __init__(self, machine: Machine, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nullspend_cli", "webhooks", "listen", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=machine.env,
            cwd=machine.home,
            text=True,
        )
        assert self.process.stderr
        self.said = self.process.stderr.readline()
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def next(self) -> str:
        return self._lines.get(timeout=30)

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(20)
        self._thread.join(20)
        assert self.process.stdout and self.process.stderr
        self.process.stdout.close()
        self.process.stderr.close()
        return code

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)


@pytest.fixture
def listen() -> Iterator[Any]:
    """Starts `webhooks listen` on a machine; it ends with the test."""
    started: list[Listening] = []

    def start_one(machine: Machine, *arguments: str) -> Listening:
        started.append(Listening(machine, *arguments))
        return started[-1]

    yield start_one
    for one in started:
        one.end()


def fire(daemon: Daemon, message: str) -> None:
    body = {"type": "test.ping", "object": {"message": message}}
    assert daemon.call("POST", "/_local/trigger", body, auth="admin").status == 201


def test_an_endpoint_from_its_making_to_its_end(daemon: Daemon) -> None:
    with receiver(200, 500, 200) as there:
        url = there.url
        made = daemon.run("webhooks", "create", url, "--events", "test.ping,budget.reset", "--description", "pager")
        assert made.code == 0
        secret = next(line.split()[1] for line in made.out.splitlines() if line.startswith("secret"))
        assert secret.startswith("whsec_") and len(secret) == 70
        assert "not shown again" in made.err
        shown = daemon.run("webhooks", "get", "pager")
        assert "test.ping, budget.reset" in shown.out and "whsec_" not in shown.out + daemon.run("webhooks", "list").out

        assert daemon.run("webhooks", "test", "pager").err == f"{url} answered 200: thank you.\n"
        failed = daemon.run("webhooks", "test", url)
        assert (failed.code, failed.err.splitlines()[0]) == (
            1,
            f"error: {url} did not take the message: it answered 500.",
        )
        fired = daemon.run("webhooks", "trigger", "test.ping", "--set", "message=hello there", "--json")
        assert fired.json["type"] == "test.ping"
        message = there.wait_for(3)[2]
        assert (message.id, message.json["data"]["object"]) == (fired.json["id"], {"message": "hello there"})
        assert holds_in_python(message, secret)

        listed = until_delivered(daemon, url)
        assert [row["eventId"] for row in listed] == [message.id]
        again = daemon.run("webhooks", "resend", listed[0]["id"])
        assert again.code == 0 and "On its way again" in again.err
        assert there.wait_for(4)[3].id == message.id

        rotated = daemon.run("webhooks", "rotate-secret", url, "--yes", "--json")
        assert rotated.json["signingSecret"].startswith("whsec_") and rotated.json["signingSecret"] != secret
        assert daemon.run("webhooks", "rotate-secret", url).code == 2
        assert daemon.run("webhooks", "update", "pager", "--disable", "--thin").err == (
            f"Changed {url}: test.ping, budget.reset, disabled.\n"
        )
        assert daemon.run("webhooks", "delete", url).code == 2
        assert daemon.run("webhooks", "delete", url, "--yes").err == f"Deleted {url}.\n"
        gone = daemon.run("webhooks", "get", url)
        assert (gone.code, gone.err.splitlines()[0]) == (5, f"error: There is no webhook endpoint '{url}'.")


def until_delivered(daemon: Daemon, url: str) -> list[dict[str, Any]]:
    for _ in range(100):
        listed = daemon.run("webhooks", "deliveries", url, "--json").json
        if [row["status"] for row in listed] == ["delivered"]:
            return listed
        time.sleep(0.05)
    raise AssertionError(listed)


def test_wrong_words_are_told_with_what_there_is(daemon: Daemon) -> None:
    wrong = daemon.run("webhooks", "trigger", "budget.nonsense")
    assert wrong.code == 1 and "velocity.recovered" in wrong.err
    assert daemon.run("webhooks", "create", "http://10.0.0.1").code == 1
    assert daemon.run("webhooks", "trigger", "test.ping", "--set", "message").code == 2
    assert daemon.run("webhooks", "update", "nobody").code == 2
    assert daemon.run("webhooks", "resend", "ns_del_019a0000-0000-7000-8000-000000000000").code == 5


def test_listening_needs_a_daemon_of_this_machine(elsewhere: Machine) -> None:
    refused = elsewhere.run("webhooks", "listen", "--print-secret")
    assert refused.code == 1
    assert "Only a local daemon can do this" in refused.err


def test_verify_reads_the_body_from_a_file_or_a_pipe(machine: Machine) -> None:
    secret = "whsec_" + "0123456789abcdef" * 4
    body = b'{"id":"evt_1","data":{"object":{"n":1}}}'
    (machine.home / "body.json").write_bytes(body)
    given = (
        "--secret",
        secret,
        "--signature",
        "t=1764000000,v1=6254019c631b083f6ae82d94419eefef2fba34edf2d5d47eb7bfa4e9c42d9a7f",
    )
    right = machine.run("webhooks", "verify", *given, "--tolerance", "0", "body.json")
    assert (right.code, right.err) == (0, "Valid: signed with this secret at 2025-11-24T16:00:00.000Z.\n")
    assert machine.run("webhooks", "verify", *given, "--tolerance", "0", "-", "--json", input=body).json == {
        "valid": True,
        "signedAt": "2025-11-24T16:00:00.000Z",
    }
    old = machine.run("webhooks", "verify", *given, "body.json")
    assert old.code == 1 and "the time is not" in old.err
    changed = machine.run("webhooks", "verify", *given, "-", input=body + b"\n")
    assert changed.code == 1 and "without the line break at its end" in changed.err
    assert machine.run("webhooks", "verify", *given, "nothing.json").code == 5


def test_listen_hands_events_on_signed_and_loses_none_over_a_restart(start: StartDaemon, listen: Any) -> None:
    daemon = start()
    port = str(urlsplit(daemon.url).port)
    secret = daemon.run("webhooks", "listen", "--print-secret").out.strip()
    with receiver(200, 503, 200) as there:
        listening = listen(daemon.machine, "--forward-to", there.url, "--events", "test.ping", "--json")
        assert listening.said == "Listening. The signing secret: nullspend webhooks listen --print-secret\n"
        fire(daemon, "first")
        there.wait_for(1)
        assert daemon.end() == 0
        daemon = start("--port", port)
        for number in range(3):
            fire(daemon, f"after {number}")
        heard = [json.loads(listening.next()) for _ in range(4)]
        assert listening.end() == 130
    assert [each["data"]["object"]["message"] for each in heard] == ["first", "after 0", "after 1", "after 2"]
    assert [each["forwarded"]["status"] for each in heard] == [200, 503, 200, 200]
    assert [message.id for message in there.received] == [each["id"] for each in heard]
    assert all(holds_in_python(message, secret, 300) for message in there.received)
    assert daemon.run("webhooks", "listen", "--print-secret").out.strip() == secret
    assert daemon.run("webhooks", "list", "--json").json == [], "nothing was registered"


def test_listen_begins_in_the_past_when_asked(daemon: Daemon, listen: Any) -> None:
    fire(daemon, "a while ago")
    listening = listen(daemon.machine, "--since", "5m", "--events", "test.ping")
    lines = [listening.next(), listening.next()]
    while "a while ago" not in lines[-1]:
        lines.append(listening.next())
    assert lines[0].split() == ["TIME", "EVENT", "ABOUT", "ID"]
    assert lines[-1].split()[1] == "test.ping"
