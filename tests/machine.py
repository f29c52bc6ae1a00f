"""A machine of its own for tests: private folders, a clean environment, real daemons and commands."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
GRACE_SECONDS = 20


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """An environment in which nothing of the person who runs the tests shows: no settings, no keyring, no colour."""
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "daemon"))),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "NULLSPEND_DATA_DIR": str(home / "data"),
        "NULLSPEND_CONFIG_DIR": str(home / "config"),
        **more,
    }


class Result(NamedTuple):
    """What a command printed and the code it ended with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The output as JSON."""
        return json.loads(self.out)


class Reply(NamedTuple):
    """An HTTP reply; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Machine:
    """A home folder with the command in it. `daemon` is whatever was started last."""

    home: Path
    more: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def env(self) -> dict[str, str]:
        return clean_environment(self.home, **self.more)

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def config(self) -> Path:
        return self.home / "config"

    def run(
        self,
        *arguments: str,
        input: str | bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Result:
        """Runs `nullspend ARGUMENTS` with pipes for everything, as a script would."""
        given = input.encode() if isinstance(input, str) else input
        done = subprocess.run(
            [sys.executable, "-m", "nullspend_cli", *arguments],
            input=given or b"",
            capture_output=True,
            env={**self.env, **(env or {})},
            cwd=cwd or self.home,
            timeout=60,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


@dataclass
class Daemon:
    """A daemon process that has said it is ready."""

    process: "subprocess.Popen[bytes]"
    machine: Machine
    ready: dict[str, Any]

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    @property
    def data(self) -> Path:
        return Path(self.ready["dataDir"])

    @property
    def state(self) -> dict[str, Any]:
        """The state file as it is now."""
        return json.loads((self.data / "daemon.json").read_text())

    @property
    def key(self) -> str:
        """The value of the key `default`."""
        return str(self.state["owner"]["apiKey"])

    def run(self, *arguments: str, **options: Any) -> Result:
        """The command on the daemon's own machine."""
        return self.machine.run(*arguments, **options)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        auth: str | None = "session",
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One request. `auth` is session, key, admin or None; `body` is sent as JSON, bytes as they are."""
        owner = self.state["owner"]
        credential = {
            "session": {"Cookie": owner["cookie"]},
            "key": {"X-NullSpend-Key": owner["apiKey"]},
            "admin": {"Authorization": f"Bearer {self.state['adminToken']}"},
            None: {},
        }[auth]
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        as_json = {} if body is None else {"Content-Type": "application/json"}
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            connection.request(method, path, content, {**as_json, **credential, **(headers or {})})
            reply = connection.getresponse()
            return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def end(self, sign: int = signal.SIGTERM) -> int:
        """Sends a signal and waits; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sign)
        code = self.process.wait(GRACE_SECONDS)
        assert self.process.stdout
        self.process.stdout.close()
        return code


def start_daemon(machine: Machine, *flags: str, env: Mapping[str, str] | None = None) -> Daemon:
    """Starts a daemon on a free port of this machine and waits for its ready line."""
    port = () if "--port" in flags else ("--port", "0")
    folder = () if "--data-dir" in flags else ("--data-dir", str(machine.data))
    machine.home.mkdir(parents=True, exist_ok=True)
    errors = machine.home / "daemon.stderr"
    with errors.open("ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "nullspend_daemon", *port, *folder, *flags, "--json"],
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**machine.env, **(env or {})},
            cwd=machine.home,
        )
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        process.wait(GRACE_SECONDS)
        process.stdout.close()
        raise AssertionError(f"the daemon did not start: {errors.read_text()}")
    return Daemon(process, machine, json.loads(line))
