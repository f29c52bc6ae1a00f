"""The terminal, if there is one: width, colour, characters, pager, questions, and a sign of life while waiting."""

import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from nullspend_cli.hidden import hidden_line
from nullspend_cli.problems import Usage
from nullspend_cli.render import ASCII, UNICODE, Glyphs, visible

if TYPE_CHECKING:
    from rich.status import Status

_QUIET_SECONDS = 0.3
_SGR = {"red": "31", "yellow": "33", "green": "32", "dim": "2", "bold": "1", "cyan": "36"}


class Terminal:
    """What stdout and stderr are connected to. `color` is auto, always or never."""

    def __init__(self, color: str = "auto", stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self.is_tty = self.stdout.isatty()
        self._color = color
        self._busy = False

    @property
    def width(self) -> int:
        """Columns of the screen."""
        return shutil.get_terminal_size((80, 24)).columns

    @property
    def height(self) -> int:
        """Rows of the screen."""
        return shutil.get_terminal_size((80, 24)).lines

    @property
    def glyphs(self) -> Glyphs:
        """Block characters where the output can carry them, ASCII where not."""
        encoding = (self.stdout.encoding or "ascii").lower().replace("-", "")
        return UNICODE if encoding.startswith("utf") and os.environ.get("TERM") != "dumb" else ASCII

    @property
    def can_draw(self) -> bool:
        """Whether the output is a screen whose cursor can be moved; Emacs' shell and others say TERM=dumb."""
        return self.is_tty and os.environ.get("TERM") != "dumb"

    def has_color(self, stream: TextIO) -> bool:
        """Whether text for `stream` may carry colour: `--color`, then NO_COLOR, then whether a person is looking."""
        if self._color != "auto":
            return self._color == "always"
        return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def styled(self, text: str, style: str, stream: TextIO | None = None) -> str:
        """`text` in a style, where there is colour."""
        if not style or not text or not self.has_color(stream or self.stdout):
            return text
        return f"\x1b[{_SGR[style]}m{text}\x1b[0m"

    def bell(self) -> None:
        """Calls whoever sits at the terminal."""
        if self.stderr.isatty():
            self.stderr.write("\a")
            self.stderr.flush()

    @property
    def can_ask(self) -> bool:
        """Whether somebody can answer a question."""
        if os.environ.get("NULLSPEND_NO_INPUT") or os.environ.get("CI", "").lower() in ("1", "true"):
            return False
        return sys.stdin is not None and sys.stdin.isatty() and self.stderr.isatty()

    def ask(self, question: str) -> bool:
        """A yes or no, where everything but yes means no."""
        return self.answer(f"{question} [y/N]").lower() in ("y", "yes")

    def answer(self, question: str) -> str:
        """What a person types, without the blanks around it."""
        self.stderr.write(f"{visible(question)} ")
        self.stderr.flush()
        return sys.stdin.readline().strip()

    def secret(self, what: str, *, optional: bool = False) -> str:
        """A secret typed without showing, or one line of standard input. Raises Usage for an empty one, unless it is
        optional."""
        value = self._hidden(what + (" (Enter for none)" if optional else "")) if self.can_ask else sys.stdin.readline()
        if not value.strip() and not optional:
            raise Usage(f"The {what} is empty.", next=f"Give the {what} on standard input, or type it when asked.")
        return value.strip()

    def _hidden(self, what: str) -> str:
        self.stderr.write(f"{what}: ")
        self.stderr.flush()
        try:
            return hidden_line()
        finally:
            self.stderr.write("\n")

    def page(self, text: str, pager: str) -> bool:
        """Shows text longer than the screen in a pager. False when it was not paged and has to be printed."""
        if pager == "off" or not self.is_tty or not sys.stdin.isatty() or text.count("\n") < self.height:
            return False
        command = os.environ.get("PAGER") or "less -FRX" if pager == "auto" else pager
        parts = shlex.split(command)
        if not parts or not shutil.which(parts[0]):
            return False
        subprocess.run(parts, input=text.encode("utf-8", "backslashreplace"), check=False)
        return True

    @contextmanager
    def waiting(self, what: str) -> Generator[None]:
        """A spinner on the terminal for whatever takes longer than 300 ms."""
        with self.progress(what):
            yield

    @contextmanager
    def progress(self, what: str) -> Generator[Callable[[str], None]]:
        """As `waiting`, with a function that changes what the spinner says. One inside another stays silent."""
        if not self.stderr.isatty() or self._busy:
            yield lambda _: None
            return
        self._busy = True
        spinner = _Spinner(what, self.stderr)
        try:
            yield spinner.say
        finally:
            spinner.stop()
            self._busy = False


class _Spinner:
    """Starts a rich status after the quiet time, unless it was stopped before."""

    def __init__(self, what: str, stream: TextIO) -> None:
        self._what = what
        self._stream = stream
        self._lock = threading.Lock()
        self._stopped = False
        self._status: Status | None = None
        self._timer = threading.Timer(_QUIET_SECONDS, self._start)
        self._timer.daemon = True
        self._timer.start()

    def _start(self) -> None:
        from rich.console import Console
        from rich.status import Status
        from rich.text import Text

        with self._lock:
            if not self._stopped:
                self._status = Status(Text(visible(self._what)), console=Console(file=self._stream))
                self._status.start()

    def say(self, what: str) -> None:
        """Changes the text, now or for when it appears."""
        from rich.text import Text

        with self._lock:
            self._what = what
            if self._status:
                self._status.update(Text(visible(what)))

    def stop(self) -> None:
        """Removes the spinner, or keeps it from appearing."""
        self._timer.cancel()
        with self._lock:
            self._stopped = True
            if self._status:
                self._status.stop()
