"""What `top` knows: spend of the last minutes, budgets, newest events, what waits for a decision."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from nullspend_cli import filters, replies
from nullspend_cli.client import Auth, Client
from nullspend_cli.filters import Filters, Span
from nullspend_cli.live import News
from nullspend_cli.names import Names
from nullspend_cli.problems import NotSignedIn, ServerError
from nullspend_cli.render import percent
from nullspend_cli.replies import Record
from nullspend_cli.unseen import Unseen
from nullspend_daemon.contract.clock import from_iso
from nullspend_daemon.contract.ids import Kind

MINUTES = 15
_KEPT = 200
_PENDING = 20
_SUMMARY_SECONDS = 60.0
_LEAST_SECONDS = 1.0
"""Between two looks: a thousand events a second are one look a second."""


class Board:
    """The figures. Written by the thread that follows the server, read by the one that draws."""

    def __init__(self) -> None:
        self.origin = ""
        self.status = "connecting"
        self.behind_ms = 0
        self.spent_today = 0
        self.budgets: list[Record] = []
        self.pending: list[Record] | None = None
        self.newest: deque[Record] = deque(maxlen=_KEPT)
        self._spend: deque[tuple[int, int]] = deque()

    @property
    def now_ms(self) -> int:
        """The time on the server."""
        return time.time_ns() // 1_000_000 + self.behind_ms

    def add(self, events: list[Record]) -> None:
        """Takes in new events, the oldest first."""
        self.newest.extendleft(events)
        self._spend.extend((from_iso(str(event["createdAt"])), event["costMicrodollars"]) for event in events)
        while self._spend and self._spend[0][0] < self.now_ms - MINUTES * 60_000:
            self._spend.popleft()

    def a_minute(self, minutes: int) -> int:
        """Microdollars a minute over the last minutes."""
        since = self.now_ms - minutes * 60_000
        return sum(cost for at, cost in list(self._spend) if at >= since) // minutes

    def series(self, steps: int) -> list[int]:
        """The spend of the last quarter of an hour in so many steps."""
        start, length = self.now_ms - MINUTES * 60_000, MINUTES * 60_000
        sums = [0] * steps
        for at, cost in list(self._spend):
            if start <= at:
                sums[min(steps - 1, (at - start) * steps // length)] += cost
        return sums

    def record(self) -> Record:
        """Everything, for a program."""
        return {
            "spendPerMinuteMicrodollars": self.a_minute(1),
            "spendPerMinuteLast5Microdollars": self.a_minute(5),
            "todayCostMicrodollars": self.spent_today,
            "budgets": self.budgets,
            "pendingActions": self.pending,
            "newestEvents": list(self.newest),
        }


class Watcher:
    """Brings a board up to date from the news of a server."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._unseen = Unseen(Filters({}, Span()), _KEPT)
        self._client: Client | None = None
        self._looked = self._summed = float("-inf")

    def look(self, news: News) -> Board:
        """One look at everything that may have changed."""
        time.sleep(max(0.0, self._looked + _LEAST_SECONDS - time.monotonic()))
        board, client = self._board, news.client
        self._looked = time.monotonic()
        if client is not self._client:
            self._client, self._names = client, Names(client)
            board.origin = client.place.origin
            board.behind_ms = filters.now_ms(client) - time.time_ns() // 1_000_000
        board.add(new := self._unseen.look(news))
        if new or self._looked - self._summed > _SUMMARY_SECONDS:
            self._sum(client)
        board.budgets = [self._budget(row) for row in self._budgets(client)]
        board.pending = _or_none(lambda: self._pending(client))
        board.status = "live" if news.streamed else "asking every 5 s"
        return board

    def _sum(self, client: Client) -> None:
        found = replies.record(client.get("/api/cost-events/summary", {"period": "7d"}, auth=Auth.EITHER))
        today = time.strftime("%Y-%m-%d", time.gmtime(self._board.now_ms / 1000))
        days = {day["date"]: day["totalCostMicrodollars"] for day in found.get("daily", [])}
        self._board.spent_today = days.get(today, 0)
        self._summed = time.monotonic()

    def _budgets(self, client: Client) -> list[Record]:
        return replies.rows(client.get("/api/budgets", auth=Auth.EITHER), Kind.BUDGET)

    def _budget(self, row: Record) -> Record:
        name = self._names.entity(row["entityType"], row["entityId"])
        limit, spent = row["maxBudgetMicrodollars"], row["spendMicrodollars"]
        return {
            **row,
            "entity": name,
            "usedPercent": percent(spent, limit),
            "remainingMicrodollars": max(0, limit - spent),
        }

    def _pending(self, client: Client) -> list[Record]:
        return replies.rows(client.get("/api/actions", {"status": "pending", "limit": _PENDING}), Kind.ACTION)


def _or_none(look: Callable[[], Any]) -> Any:
    """What a session may see; None with a key alone, or on a server without it."""
    try:
        return look()
    except NotSignedIn:
        return None
    except ServerError as error:
        if error.status not in (401, 403, 404):
            raise
        return None
