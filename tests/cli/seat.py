"""A person at a real terminal: what is on the screen, and keys."""

import re
import sys
import time
from types import TracebackType

import pexpect

from tests.machine import Machine

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-B0-9]|\x1b[=>]|\r")
_HOME = "\x1b[H"
WAIT_SECONDS = 20


class Seat:
    """`nullspend ARGUMENTS` in a terminal of its own."""

    def __init__(self, machine: Machine, *arguments: str, rows: int = 24, columns: int = 80) -> None:
        self._child = pexpect.spawn(
            sys.executable,
            ["-m", "nullspend_cli", *arguments],
            env={**machine.env, "TERM": "xterm-256color"},
            cwd=str(machine.home),
            dimensions=(rows, columns),
            encoding="utf-8",
            timeout=WAIT_SECONDS,
        )
        self.output = ""

    def __enter__(self) -> "Seat":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._child.close(force=True)

    @property
    def screen(self) -> str:
        """What was drawn last, as text."""
        return _ESCAPES.sub("", self.output.rpartition(_HOME)[2])

    def sees(self, *texts: str, not_: str = "\0") -> str:
        """Waits until all of `texts` are on the screen, and `not_` is not; returns the screen."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            if all(text in self.screen for text in texts) and not_ not in self.screen:
                return self.screen
            self._read()
        raise AssertionError(f"{texts} did not come; the screen is\n{self.screen}")

    def press(self, keys: str) -> None:
        """Types, after the moment in which keys still belong to the request before."""
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            self._read()
        self._child.send(keys)

    def resize(self, rows: int, columns: int) -> None:
        self._child.setwinsize(rows, columns)

    def ends(self) -> int:
        """Waits for the end and returns the exit code."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end and self._child.isalive():
            self._read()
        self._read()
        self._child.wait()
        return int(self._child.exitstatus if self._child.exitstatus is not None else -1)

    def _read(self) -> None:
        try:
            self.output += self._child.read_nonblocking(65_536, timeout=0.05)
        except (pexpect.TIMEOUT, pexpect.EOF):
            time.sleep(0.01)
