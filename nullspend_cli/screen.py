"""The whole screen and single keys: POSIX terminals only, and only here. What it takes, it gives back."""

import contextlib
import os
import select
import signal
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from nullspend_cli.terminal import Terminal

_OPEN = "\x1b[?1049h\x1b[?25l"
_CLOSE = "\x1b[?25h\x1b[?1049l"


def available(terminal: Terminal) -> bool:
    """Whether somebody sits there whose keys can be read."""
    return os.name == "posix" and terminal.can_draw and sys.stdin is not None and sys.stdin.isatty()


class Screen:
    """The alternate screen. Keys come one by one and are not shown; Ctrl-C still interrupts."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)

    def __enter__(self) -> "Screen":
        import termios
        import tty

        self._before: Any = termios.tcgetattr(sys.stdin)
        self._resized_before = signal.signal(signal.SIGWINCH, lambda *_: self.wake())
        tty.setcbreak(sys.stdin)
        self._write(_OPEN)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        import termios

        self._write(_CLOSE)
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._before)
        signal.signal(signal.SIGWINCH, self._resized_before)
        os.close(self._wake)
        os.close(self._woken)

    def show(self, lines: Sequence[str]) -> None:
        """Draws all lines anew, in place, without a flicker."""
        drawn = "\x1b[K\n".join(lines[: self._terminal.height])
        self._write(f"\x1b[H{drawn}\x1b[K\x1b[J")

    def key(self, seconds: float) -> str:
        """The next key; empty when nothing was pressed for so long, the size has changed, or `wake` was called."""
        ready, _, _ = select.select([sys.stdin, self._woken], [], [], seconds)
        if self._woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._woken, 4096)
        return os.read(sys.stdin.fileno(), 1).decode("ascii", "replace") if sys.stdin in ready else ""

    def wake(self) -> None:
        """Lets `key` return at once. May be called from any thread."""
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._wake, b".")

    def _write(self, text: str) -> None:
        self._terminal.stdout.write(text)
        self._terminal.stdout.flush()
