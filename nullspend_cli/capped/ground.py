"""The daemon a capped command talks to: the one that runs on this machine, or a private one that goes with the command.

Whatever was made for the command is taken away by a caretaker, a process of its own that holds on to nothing but the
other end of a pipe: when that end closes, the command has ended, however it ended.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nullspend_cli import local, processes
from nullspend_cli.problems import Problem

_CARETAKER_SECONDS = 30.0
_FAKE = "fake"


class Ground:
    """A daemon for the duration. `key_name` is the key that goes with it; `keep` leaves everything where it is.

    With `upstreams` it is a private one: a daemon that runs already keeps those it was started with.
    """

    def __init__(
        self, key_name: str, *, upstreams: Sequence[str] = (), keep: bool = False, private: bool = False
    ) -> None:
        shared = None if upstreams or private else local.running()
        self.private = shared is None
        self._temporary = Path(tempfile.mkdtemp(prefix="nullspend-run-")) if shared is None else None
        self.folder = self._temporary / "data" if self._temporary else Path(shared.data_dir if shared else "")
        self._placeholders = placeholders(upstreams)
        self._caretaker = None if keep else self._watch(key_name)
        self.daemon = shared or self._start(upstreams)

    def _start(self, upstreams: Sequence[str]) -> local.State:
        flags = ["--data-dir", str(self.folder), "--port", "0"]
        for upstream in upstreams:
            flags += ["--upstream", upstream]
        try:
            return local.start(flags, self.folder)
        except BaseException:
            self.leave()
            raise

    def _watch(self, key_name: str) -> "subprocess.Popen[bytes]":
        caretaker = processes.start_caretaker()
        duty: dict[str, Any] = {"folder": str(self.folder), "key": key_name, "temporary": str(self._temporary or "")}
        assert caretaker.stdin
        caretaker.stdin.write(json.dumps(duty).encode() + b"\n")
        caretaker.stdin.flush()
        return caretaker

    def leave(self) -> None:
        """Lets the caretaker do its work and waits for it. Raises Problem when something could not be taken away."""
        caretaker, self._caretaker = self._caretaker, None
        if caretaker is None:
            return
        assert caretaker.stdin
        caretaker.stdin.close()
        try:
            code = caretaker.wait(_CARETAKER_SECONDS)
        except subprocess.TimeoutExpired:
            code = -1
        if code:
            place = str(self._temporary) if self._temporary else "the local daemon"
            raise Problem(f"Not everything of this run could be taken away from {place}.", next="nullspend keys list")

    def variables(self, raw_key: str, session: str) -> dict[str, str]:
        """What the command's environment says besides its own: where to call and with which key."""
        private = {"NULLSPEND_DATA_DIR": str(self.folder)} if self.private else {}
        return {**private, **self._placeholders, **variables(self.daemon.url, raw_key, session)}


def variables(url: str, raw_key: str, session: str) -> dict[str, str]:
    """The environment that makes the clients call a daemon at `url` with a key, as one session."""
    headers = f"X-NullSpend-Key: {raw_key}\nX-NullSpend-Session: {session}"
    in_path = f"{url}/k/{raw_key}"
    return {
        "NULLSPEND_BASE_URL": url,
        "NULLSPEND_API_KEY": raw_key,
        "NULLSPEND_PROXY_URL": url,
        # The key is in the path as well, so that a client that reads no header variables is capped too.
        "OPENAI_BASE_URL": f"{in_path}/v1",
        "ANTHROPIC_BASE_URL": in_path,
        "OPENAI_CUSTOM_HEADERS": _with_own("OPENAI_CUSTOM_HEADERS", headers),
        "ANTHROPIC_CUSTOM_HEADERS": _with_own("ANTHROPIC_CUSTOM_HEADERS", headers),
    }


def placeholders(upstreams: Sequence[str]) -> dict[str, str]:
    """Provider keys where the fake provider, which reads none, is called: without one a client refuses to be made."""
    wanted = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY") if _FAKE in upstreams else ()
    return {name: _FAKE for name in wanted if not os.environ.get(name)}


def _with_own(variable: str, headers: str) -> str:
    """Header lines below those the variable holds already."""
    own = os.environ.get(variable, "").strip()
    return f"{own}\n{headers}" if own else headers
