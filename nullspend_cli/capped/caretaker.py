"""A process that waits for a capped command to end and then takes away what was made for it.

It reads one line of JSON, `{"folder", "key", "temporary"}`, and then waits for the end of its standard input. With
`temporary` the daemon of `folder` is private: it is stopped and the folder is deleted. Else its key is revoked and the
key's budget deleted.
"""

import json
import shutil
import signal
import sys
import time
from pathlib import Path

from nullspend_cli import data_lock, local, processes
from nullspend_cli.client import Client
from nullspend_cli.contexts import LOCAL, Place
from nullspend_cli.names import Names
from nullspend_cli.problems import Problem
from nullspend_cli.trace import Trace

_STARTING_SECONDS = 3.0
_POLL_SECONDS = 0.05


def client_of(daemon: local.State) -> Client:
    """Requests to a daemon as its owner, without a word on the terminal."""
    return Client(Place(LOCAL, "", daemon.url, daemon=daemon), Trace(lambda _: None, verbose=False))


def revoke(client: Client, key_name: str) -> None:
    """Revokes the keys of that name and deletes their budgets. Raises Problem."""
    names = Names(client)
    keys = {str(key["id"]) for key in names.keys if key["name"] == key_name}
    for budget in names.budgets:
        if budget["entityId"] in keys:
            client.delete(f"/api/budgets/{budget['id']}")
    for key_id in keys:
        client.delete(f"/api/keys/{key_id}")


def _take_away(folder: Path, key_name: str, temporary: str) -> None:
    if temporary:
        try:
            _end(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return
    daemon = local.running(folder)
    if daemon:  # one that is not running lets nobody call
        revoke(client_of(daemon), key_name)


def _end(folder: Path) -> None:
    """Ends the private daemon, also one that was only just starting when the command was killed."""
    deadline = time.monotonic() + _STARTING_SECONDS
    while (daemon := local.running(folder)) is None:
        if not data_lock.path_in(folder).exists() or time.monotonic() > deadline:
            return
        time.sleep(_POLL_SECONDS)
    try:
        local.stop(daemon)
    except Problem:
        processes.kill(daemon.pid)


def main() -> int:
    """Waits, then tidies up; returns the exit code."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)  # whoever ends the command ends this by the pipe
    duty = json.loads(sys.stdin.buffer.readline() or b"{}")
    sys.stdin.buffer.read()
    if not duty:
        return 0
    try:
        _take_away(Path(duty["folder"]), duty["key"], duty["temporary"])
    except Problem:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
