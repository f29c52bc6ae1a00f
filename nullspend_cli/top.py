"""`top`: a board drawn on the whole screen, anew with every change, until q or Ctrl-C."""

import threading
from collections.abc import Sequence

from nullspend_cli import live, tables
from nullspend_cli.board import Board, Watcher
from nullspend_cli.charts import spark
from nullspend_cli.render import Cell, bar, clip, count, money, threshold_style
from nullspend_cli.replies import Record
from nullspend_cli.run import Run
from nullspend_cli.screen import Screen
from nullspend_cli.tables import Column, column
from nullspend_cli.terminal import Terminal
from nullspend_cli.when import show_duration
from nullspend_daemon.contract.clock import from_iso, to_iso

SORTS = ("used", "left", "spent", "name")
_REDRAW_SECONDS = 2.0
_HEAD_LINES = 5
_ORDER = {
    "used": lambda row: (-row["spendMicrodollars"] / row["maxBudgetMicrodollars"], row["entity"]),
    "left": lambda row: (row["remainingMicrodollars"], row["entity"]),
    "spent": lambda row: (-row["spendMicrodollars"], row["entity"]),
    "name": lambda row: (row["entity"],),
}
_EVENTS = (
    column("createdAt", "NEWEST", lambda at: f"{at[11:19]}Z"),
    column("keyName", "KEY"),
    column("model"),
    column("inputTokens", "IN", count, right=True),
    column("outputTokens", "OUT", count, right=True),
    column("costMicrodollars", "COST", money, right=True),
    column("customerId", "CUSTOMER", wide=True),
)


def watch(run: Run) -> None:
    """Draws until somebody presses q. Raises what the server's refusal raises, KeyboardInterrupt for Ctrl-C."""
    board, failed = Board(), list[Exception]()
    watcher = Watcher(board)
    run.connect()  # a server that is not there is said before the screen is taken
    with Screen(run.out.terminal) as screen:

        def work() -> None:
            try:
                for _ in live.follow(run.connect, watcher.look, say=lambda sentence: _say(board, screen, sentence)):
                    screen.wake()
            except Exception as error:  # noqa: BLE001 - raised again where it can be shown
                failed.append(error)
                screen.wake()

        threading.Thread(target=work, daemon=True).start()
        _draw_until_quit(run.out.terminal, screen, board, failed)
    if failed:
        raise failed[0]


def _say(board: Board, screen: Screen, sentence: str) -> None:
    board.status = sentence
    screen.wake()


def _draw_until_quit(terminal: Terminal, screen: Screen, board: Board, failed: Sequence[Exception]) -> None:
    sort = 0
    while not failed:
        screen.show(page(board, terminal, SORTS[sort]))
        key = screen.key(_REDRAW_SECONDS)
        if key in ("q", "Q", "\x1b"):
            return
        if key == "s":
            sort = (sort + 1) % len(SORTS)


def snapshot(run: Run) -> Board:
    """One look, for a pipe or a program."""
    board = Board()
    Watcher(board).look(live.News(run.client, [], False))
    board.status = "one look"
    return board


def page(board: Board, terminal: Terminal, sort: str = "used", *, keys: bool = True) -> list[str]:
    """The lines of the whole screen."""
    width, height = terminal.width, terminal.height
    lines = [*_head(board, terminal, width)]
    room = height - _HEAD_LINES - 2
    budgets = sorted(board.budgets, key=_ORDER[sort])
    lines += _part(_budget_columns(terminal), budgets, max(2, room // 3), terminal)
    lines += _part(_pending_columns(board), board.pending or [], max(2, room // 4), terminal)
    left = height - len(lines) - 1
    lines += _part(_EVENTS, list(board.newest), max(1, left - 1), terminal)
    foot = f"q quit   s sort budgets (by {sort})" if keys else ""
    lines = lines[: height - 1]
    return [*lines, *[""] * (height - 1 - len(lines)), terminal.styled(clip(foot, width, terminal.glyphs), "dim")]


def _head(board: Board, terminal: Terminal, width: int) -> list[str]:
    now = to_iso(board.now_ms)
    title = clip(f"nullspend top  {board.origin}  {now[11:19]}Z  {board.status}", width, terminal.glyphs)
    rate = f"{money(board.a_minute(1))}/min now, {money(board.a_minute(5))}/min in 5 min"
    spent = f"{rate}   today {money(board.spent_today)}"
    steps = max(15, min(60, width - 20))
    line = spark(board.series(steps), steps, terminal.glyphs)
    return [
        terminal.styled(title, "bold"),
        clip(spent, width, terminal.glyphs),
        clip(f"{line} last 15 min", width, terminal.glyphs),
        "",
    ]


def _part(columns: Sequence[Column], rows: Sequence[Record], most: int, terminal: Terminal) -> list[str]:
    """One table in at most `most` lines of rows, with a line that says how many are left out."""
    if not rows:
        return []
    shown = rows if len(rows) <= most else rows[: most - 1]
    lines = tables.table(columns, shown, terminal).splitlines()
    return [*lines, *([f"and {count(len(rows) - len(shown))} more"] if len(shown) < len(rows) else []), ""]


def _budget_columns(terminal: Terminal) -> tuple[Column, ...]:
    def used(row: Record) -> Cell:
        spent, limit = row["spendMicrodollars"], row["maxBudgetMicrodollars"]
        style = threshold_style(spent, limit, row.get("thresholdPercentages") or [])
        return Cell(f"{bar(spent, limit, terminal.glyphs, width=16)} {row['usedPercent']:3}%", style)

    return (
        column("entity", "BUDGET"),
        column("spendMicrodollars", "SPENT", money, right=True),
        column("maxBudgetMicrodollars", "LIMIT", money, right=True),
        column("remainingMicrodollars", "LEFT", money, right=True),
        column("used", value=lambda row: row, show=used),
    )


def _pending_columns(board: Board) -> tuple[Column, ...]:
    return (
        column("createdAt", "WAITING", lambda at: show_duration(max(0, board.now_ms - from_iso(at)) // 1000 * 1000)),
        column("actionType", "FOR"),
        column("agentId", "AGENT"),
        column("id", "ACTION"),
    )
