"""The daemon of this machine: found by its state file, started as a process, stopped by its own endpoint."""

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import Popen
from typing import Any, NamedTuple

from nullspend_cli import data_lock, processes, transport
from nullspend_cli.logs import Log
from nullspend_cli.patience import SHORT
from nullspend_cli.problems import Problem, Unreachable
from nullspend_cli.settings import data_dir

START_SECONDS = 20.0
STOP_SECONDS = 20.0
"""Longer than the daemon gives its running requests, so a graceful stop is never cut short."""
_POLL_SECONDS = 0.02


class State(NamedTuple):
    """What a running daemon says about itself in `daemon.json`. The last five are the owner's credentials."""

    url: str
    pid: int
    version: str
    started_at: str
    data_dir: str
    hosted: bool
    test_clock: bool
    admin_token: str
    user_id: str
    email: str
    org_id: str
    cookie: str
    api_key: str


def _state_of(content: dict[str, Any]) -> State:
    owner = content["owner"]
    return State(
        url=transport.origin_of(str(content["url"])),
        pid=int(content["pid"]),
        version=str(content["version"]),
        started_at=str(content["startedAt"]),
        data_dir=str(content["dataDir"]),
        hosted=bool(content["hosted"]),
        test_clock=bool(content["testClock"]),
        admin_token=str(content["adminToken"]),
        user_id=str(owner["userId"]),
        email=str(owner["email"]),
        org_id=str(owner["orgId"]),
        cookie=str(owner["cookie"]),
        api_key=str(owner["apiKey"]),
    )


class Silent(Unreachable):
    """The daemon of a data directory lives, takes connections, and says nothing."""

    def __init__(self, state: State) -> None:
        super().__init__(
            f"The daemon on {state.data_dir} (process {state.pid}) does not answer.", next="nullspend daemon restart"
        )
        self.state = state


def read_state(folder: Path) -> State | None:
    """The state file of a data directory; None when there is none, it is not ours, or it cannot be read as one."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(folder / "daemon.json", flags)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        # Whoever can write this file chooses where the owner's credentials are sent.
        if os.name == "posix" and os.fstat(descriptor).st_uid != os.getuid():
            return None
        try:
            return _state_of(json.load(file))
        except (ValueError, KeyError, TypeError, AttributeError, Problem):
            return None


def running(folder: Path | None = None) -> State | None:
    """The daemon that answers for a data directory, or None. A state file nobody stands behind is stale."""
    try:
        return answering(folder)
    except Silent:
        return None


def answering(folder: Path | None = None) -> State | None:
    """As `running`, for what must not be done beside a daemon: raises Silent when it lives and does not answer."""
    state = read_state(folder or data_dir())
    return state if state and _stands_behind(state) else None


def required(folder: Path | None = None) -> State:
    """As `answering`, but raises Unreachable with the command that starts one."""
    state = answering(folder)
    if state is None:
        raise Unreachable(f"No daemon is running on {folder or data_dir()}.", next="nullspend daemon start")
    return state


def _stands_behind(state: State) -> bool:
    """Whether the process that wrote the file still answers: another one at that address must get no credential."""
    if not processes.alive(state.pid):
        return False
    accept = {"Accept": "application/json"}
    try:
        answer = transport.send(state.url, "GET", "/_local/info", accept, quiet_seconds=SHORT.quiet_seconds)
        return answer.status == 200 and json.loads(answer.body).get("startedAt") == state.started_at
    except Unreachable as error:
        # Only the lock tells a daemon that hangs from a stranger who came by its address and its process number.
        if error.reply_lost and data_lock.is_held(Path(state.data_dir)):
            raise Silent(state) from None
        return False
    except (ValueError, AttributeError):
        return False


def start(flags: Sequence[str], folder: Path) -> State:
    """Starts a daemon in the background and returns once it answers. Raises Problem with what it said if not."""
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        process = processes.start_detached([*flags, "--json"], stdout, stderr)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            state = read_state(folder)
            if state and state.pid == process.pid and _is_healthy(state):
                return state
            if process.poll() is not None:
                raise _did_not_start(stderr, folder, f"The daemon ended at once (exit code {process.returncode}).")
            time.sleep(_POLL_SECONDS)
        _give_up(process)
        raise _did_not_start(stderr, folder, f"The daemon did not answer within {START_SECONDS:.0f} s.")


def _is_healthy(state: State) -> bool:
    try:
        return transport.send(state.url, "GET", "/api/health", {}).status == 200
    except Unreachable:
        return False


def _give_up(process: "Popen[bytes]") -> None:
    process.terminate()
    with contextlib.suppress(Exception):
        process.wait(STOP_SECONDS)


def _did_not_start(stderr: Any, folder: Path, sentence: str) -> Problem:
    """What the daemon wrote to its error output, else the end of its log, below one sentence."""
    stderr.seek(0)
    said = stderr.read().decode("utf-8", "replace").strip().splitlines()
    lines = said or Log(folder).tail(10)
    return Problem(sentence, lines=tuple(lines[-10:]), next="nullspend daemon logs" if lines and not said else "")


def stop(state: State) -> None:
    """Ends the daemon and waits until it is gone; one that does not answer is sent the signal to end. Raises Problem
    when it does not end in time."""
    silent = not _is_asked_to_stop(state)
    transport.close()  # a graceful stop waits for connections, this one included
    if silent:
        processes.end(state.pid)
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        if _is_gone(state):
            return
        time.sleep(_POLL_SECONDS)
    why = "it does not react" if silent else "it may be finishing long calls"
    raise Problem(
        f"The daemon (process {state.pid}) has not ended after {STOP_SECONDS:.0f} s; {why}.",
        next=f"kill -9 {state.pid} (nothing that was acknowledged is lost)" if silent else "nullspend daemon status",
    )


def _is_asked_to_stop(state: State) -> bool:
    headers = {"Authorization": f"Bearer {state.admin_token}", "Content-Type": "application/json"}
    try:
        asked = transport.send(state.url, "POST", "/_local/stop", headers, b"{}", quiet_seconds=SHORT.quiet_seconds)
    except Unreachable as error:
        if error.reply_lost:
            return False
        raise
    return asked.status == 202


def _is_gone(state: State) -> bool:
    """The process where that can be asked, else its state file, which goes last."""
    if os.name == "posix":
        return not processes.alive(state.pid)
    left = read_state(Path(state.data_dir))
    return left is None or left.started_at != state.started_at
