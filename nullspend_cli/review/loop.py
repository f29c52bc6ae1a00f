"""The sitting itself: news in, keys in, a screen out, and the terminal as it was when it is over."""

from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from nullspend_cli.keyboard import Keyboard
from nullspend_cli.payload_view import Line
from nullspend_cli.problems import Usage
from nullspend_cli.requests_feed import queue
from nullspend_cli.review.desk import Desk
from nullspend_cli.review.errands import Errands
from nullspend_cli.review.feed import Feed
from nullspend_cli.review.screen import lines_of
from nullspend_cli.run import Run
from nullspend_cli.terminal import Terminal

_BETWEEN_LOOKS_SECONDS = 0.2


def review(run: Run) -> str:
    """Go through the queue until the person quits; returns what was done. Raises what the first look raises."""
    terminal = run.out.terminal
    if not (terminal.can_ask and terminal.can_draw):
        raise Usage(
            "actions review needs a terminal: it shows requests and reads keys.",
            next="nullspend actions list --status pending",
        )
    errands = Errands(run.connect_briefly)
    desk = Desk(errands, queue(run.client))
    feed = Feed(run.connect)
    with Keyboard() as keyboard, _Screen(terminal) as screen:
        while not desk.closed:
            before = desk.current
            errands.take_in()
            for news in feed.news():
                desk.hear(news)
            desk.tick()
            screen.draw(lines_of(desk, terminal.width, terminal.height))
            key = keyboard.read(_BETWEEN_LOOKS_SECONDS)
            if key is not None:
                desk.press(key)
            if desk.current is not before:
                keyboard.forget()  # what was typed ahead was meant for the one before
    return desk.summary


class _Screen:
    """The whole terminal while it is entered; what was on it before comes back."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._console = Console(
            file=terminal.stdout,
            force_terminal=True,
            no_color=not terminal.has_color(terminal.stdout),
            highlight=False,
            legacy_windows=False,
        )
        self._live = Live(console=self._console, screen=True, auto_refresh=False)
        self._shown: tuple[object, ...] = ()

    def __enter__(self) -> "_Screen":
        self._live.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.__exit__(kind, error, at)

    def draw(self, lines: list[Line]) -> None:
        """Show these lines, when they or the size of the terminal are others than before."""
        size = self._terminal.width, self._terminal.height
        shown = (size, [tuple(line) for line in lines])
        if shown == self._shown:
            return
        if self._shown and self._shown[0] != size:
            self._console.clear()  # what the old width has left behind
        self._shown = shown
        self._live.update(_text(lines), refresh=True)


def _text(lines: list[Line]) -> Text:
    text = Text(no_wrap=True, overflow="crop", end="")
    for number, line in enumerate(lines):
        text.append("\n" if number else "")
        for cell in line:
            text.append(cell.text, style=cell.style)
    return text
