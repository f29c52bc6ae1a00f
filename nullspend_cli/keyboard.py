"""Single keys from the terminal, without Enter. What differs between systems stands here and nowhere else."""

import os
import sys
import time
from types import TracebackType

ENTER, ESCAPE, BACKSPACE = "enter", "escape", "backspace"
UP, DOWN, PAGE_UP, PAGE_DOWN, HOME, END = "up", "down", "page up", "page down", "home", "end"
CLOSED = "closed"
"""Nobody will ever press a key again: the terminal is gone."""

_SEQUENCES = {
    "\x1b[A": UP,
    "\x1b[B": DOWN,
    "\x1bOA": UP,
    "\x1bOB": DOWN,
    "\x1b[5~": PAGE_UP,
    "\x1b[6~": PAGE_DOWN,
    "\x1b[H": HOME,
    "\x1b[F": END,
    "\x1b[1~": HOME,
    "\x1b[4~": END,
}
_SINGLE = {"\r": ENTER, "\n": ENTER, "\x7f": BACKSPACE, "\x08": BACKSPACE, "\x1b": ESCAPE}


def keys_in(text: str) -> list[str]:
    """The keys of what a terminal sent: a character each, or a name for those that are none."""
    keys: list[str] = []
    while text:
        sequence = next((each for each in _SEQUENCES if text.startswith(each)), None)
        if sequence is not None:
            keys.append(_SEQUENCES[sequence])
        elif text.startswith(("\x1b[", "\x1bO")):
            return keys  # a key without a meaning here, and how long its sequence is nobody knows
        else:
            sequence = text[0]
            keys.append(_SINGLE.get(sequence, sequence))
        text = text[len(sequence) :]
    return keys


class Keyboard:
    """The terminal's keys while it is entered; Ctrl-C stays Ctrl-C."""

    def __init__(self) -> None:
        self._waiting: list[str] = []

    def __enter__(self) -> "Keyboard":
        self._begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def read(self, seconds: float) -> str | None:
        """The next key, or None when none is pressed within so many seconds."""
        if not self._waiting:
            self._waiting = keys_in(self._typed(seconds))
        return self._waiting.pop(0) if self._waiting else None

    def forget(self) -> None:
        """Drops what was typed ahead: it was meant for what was on the screen before."""
        self._typed(0)
        self._waiting = []

    if sys.platform == "win32":
        import msvcrt

        def _begin(self) -> None:
            pass

        def _end(self) -> None:
            pass

        def _typed(self, seconds: float) -> str:
            end = time.monotonic() + seconds
            while not self.msvcrt.kbhit():
                if time.monotonic() >= end:
                    return ""
                time.sleep(0.02)
            key = self.msvcrt.getwch()
            if key == "\x03":
                raise KeyboardInterrupt
            if key not in ("\x00", "\xe0"):
                return key
            names = {"H": "\x1b[A", "P": "\x1b[B", "I": "\x1b[5~", "Q": "\x1b[6~", "G": "\x1b[H", "O": "\x1b[F"}
            return names.get(self.msvcrt.getwch(), "")

    else:
        import select
        import termios
        import tty

        def _begin(self) -> None:
            self._fd = sys.stdin.fileno()
            self._before = self.termios.tcgetattr(self._fd)
            self.tty.setcbreak(self._fd)

        def _end(self) -> None:
            self.termios.tcsetattr(self._fd, self.termios.TCSADRAIN, self._before)

        def _typed(self, seconds: float) -> str:
            if not self.select.select([self._fd], [], [], seconds)[0]:
                return ""
            try:
                text = os.read(self._fd, 4096)
            except OSError:
                text = b""
            if not text:
                self._waiting = [CLOSED]
            return text.decode("utf-8", "ignore")
