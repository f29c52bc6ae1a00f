"""The queue on somebody's desk: which request lies on top, what the keys do to it, what has to be said. No terminal."""

import time
from enum import Enum

from nullspend_cli import approvals, keyboard
from nullspend_cli.action_view import Facts, outcome
from nullspend_cli.client import Client
from nullspend_cli.names import Names
from nullspend_cli.problems import Problem, ServerError, Unreachable
from nullspend_cli.render import money
from nullspend_cli.replies import Record
from nullspend_cli.requests_feed import Queue
from nullspend_cli.review.errands import Errands
from nullspend_cli.review.feed import News
from nullspend_cli.server_time import machine_ms
from nullspend_daemon.contract.money import MoneyError, parse_money

_DECIDED_ALREADY = frozenset({"stale_action", "invalid_action_transition", "action_expired", "not_found"})
_LOST = "The reply was lost; whether it was decided shows once the server answers."
_STILL_WAITS = "The server answers, and this still waits: the decision has not arrived."
_SETTLE_SECONDS = 0.4
"""A key pressed sooner after a request appeared was meant for the one before it."""
_AGAIN_SECONDS = 2.0


class Mode(Enum):
    """What the screen shows, and so what keys mean."""

    LOOK = "look"
    ALL = "all"
    AMOUNT = "amount"
    GONE = "gone"


class Desk:
    """One sitting. `current` is the request on top, None while nothing waits."""

    def __init__(self, errands: Errands, first: Queue) -> None:
        self._errands = errands
        self.current: Record | None = None
        self.facts = Facts()
        self.mode = Mode.LOOK
        self.message = ""
        self.connection = ""
        self.typed = ""
        self.scroll = 0
        self.closed = False
        self.sending: str | None = None
        """The request a decision is on its way for: until the server has answered, only quitting does anything."""
        self.approved = self.rejected = 0
        self.skipped: set[str] = set()
        self._done: set[str] = set()
        self._learning: Record | None = None
        self._looking = False
        self._since = self._asked_at = 0.0
        self.pending: list[Record] = []
        self.hear(first)

    @property
    def now_ms(self) -> int:
        """The server's time."""
        return machine_ms() + self._ahead_ms

    @property
    def summary(self) -> str:
        """What was done, for when it is over."""
        done = f"Approved {self.approved}, rejected {self.rejected}."
        if self.pending:
            done = f"{done} {len(self.pending)} still waiting."
        if self.sending is not None:
            done = f"{done} The server has not answered the last decision: nullspend actions get {self.sending}"
        return done

    # -- what comes from outside

    def hear(self, news: News) -> None:
        """Take in what changed on the server. The request on top stays there unless it was decided elsewhere."""
        if isinstance(news, str):
            self.connection = news
            return
        self.connection = ""
        self._ahead_ms = news.ahead_ms
        self.pending = [row for row in news.pending if row["id"] not in self._done]
        if self.current is None:
            if self._next() is not None:
                self._take_next()
        elif self.mode is not Mode.GONE:
            if any(row["id"] == self.current["id"] for row in self.pending):
                self.message = _STILL_WAITS if self.message == _LOST else self.message
                self._learn()
            else:
                self._look_again()

    def tick(self) -> None:
        """Time has passed: a request whose time is over is looked at again."""
        expires = None if self.current is None else self.current.get("expiresAt")
        over = isinstance(expires, str) and self._left_ms() <= 0
        if over and self.mode is not Mode.GONE and time.monotonic() - self._asked_at > _AGAIN_SECONDS:
            self._look_again()

    def press(self, key: str) -> None:
        """Do what a key means now."""
        if key == keyboard.CLOSED or (key == "q" and self.mode in (Mode.LOOK, Mode.GONE)):
            self.closed = True
        elif self.sending is not None:
            return
        elif self.mode is Mode.AMOUNT:
            self._type(key)
        elif self.mode is Mode.ALL:
            self._move(key)
        elif self.mode is Mode.GONE:
            self._take_next()
        elif self.current is None:
            self._look_at_skipped(key)
        else:
            self._act(self.current, key)

    # -- what keys do

    def _act(self, action: Record, key: str) -> None:
        self.message = ""
        if key in ("a", "r") and time.monotonic() - self._since < _SETTLE_SECONDS:
            return
        if key == "a":
            self._decide(action, "approve")
        elif key == "r":
            self._decide(action, "reject")
        elif key == "s":
            self.skipped.add(str(action["id"]))
            self._take_next()
        elif key == "v":
            self.mode, self.scroll = Mode.ALL, 0
        elif key == "m":
            self._ask_amount(action)

    def _ask_amount(self, action: Record) -> None:
        if action.get("actionType") == approvals.BUDGET_INCREASE:
            self.mode, self.typed = Mode.AMOUNT, ""
        else:
            self.message = "Only a budget increase has an amount."

    def _type(self, key: str) -> None:
        self.message = ""
        if key == keyboard.ESCAPE:
            self.mode = Mode.LOOK
        elif key == keyboard.BACKSPACE:
            self.typed = self.typed[:-1]
        elif key == keyboard.ENTER:
            self._approve_typed()
        elif len(key) == 1 and key.isprintable():
            self.typed += key

    def _approve_typed(self) -> None:
        try:
            amount = parse_money(self.typed)
        except MoneyError as error:
            self.message = f"{error}."
            return
        if amount == 0:
            self.message = "An increase starts at more than 0."
        elif self.current is not None:
            self.mode = Mode.LOOK
            self._decide(self.current, "approve", amount)

    def _move(self, key: str) -> None:
        """Scrolling; any other key leads back."""
        steps = {keyboard.UP: -1, "k": -1, keyboard.DOWN: 1, "j": 1, keyboard.PAGE_UP: -20, keyboard.PAGE_DOWN: 20}
        steps |= {" ": 20, keyboard.HOME: -1_000_000, keyboard.END: 1_000_000}
        if key in steps:
            self.scroll = max(0, self.scroll + steps[key])
        else:
            self.mode = Mode.LOOK

    def _look_at_skipped(self, key: str) -> None:
        if key == "s" and self.skipped:
            self.skipped.clear()
            self._take_next()

    # -- what is done on the server

    def _decide(self, action: Record, verb: str, amount: int | None = None) -> None:
        self.sending = str(action["id"])
        self.message = "Approving ..." if verb == "approve" else "Rejecting ..."
        self._errands.send(
            lambda client: approvals.decide(client, str(action["id"]), verb, amount),
            lambda outcome: self._decided(action, verb, outcome),
        )

    def _decided(self, action: Record, verb: str, outcome: Record | Problem) -> None:
        self.sending = None
        if not isinstance(outcome, Problem):
            self._count(action, verb, outcome)
        elif isinstance(outcome, ServerError) and outcome.code in _DECIDED_ALREADY:
            self._look_again()
        elif isinstance(outcome, ServerError):
            self.message = " ".join((outcome.message, *outcome.lines))
        elif isinstance(outcome, Unreachable):
            self.message = _LOST if outcome.reply_lost else "No server answers, so nothing was decided."
        else:
            self.message = outcome.message

    def _count(self, action: Record, verb: str, done: Record) -> None:
        self.approved += verb == "approve"
        self.rejected += verb == "reject"
        increase = done.get("budgetIncrease")
        limit = f" The limit is now {money(increase['newLimit'])}." if isinstance(increase, dict) else ""
        verdict = "Approved" if verb == "approve" else "Rejected"
        self._is_over(action)
        self._take_next()
        self.message = f"{verdict} the {action['actionType']} of {action['agentId']}.{limit}"

    def _look_again(self) -> None:
        """The request on top may be decided or over: say what became of it before the next one lies there."""
        action = self.current
        if action is None or self._looking:
            return
        self._looking, self._asked_at = True, time.monotonic()
        self._errands.send(lambda client: _what_became(client, action), lambda outcome: self._looked(action, outcome))

    def _looked(self, action: Record, outcome: str | Problem | None) -> None:
        self._looking = False
        if outcome is None or self.current is not action:
            return
        self.message = outcome.message if isinstance(outcome, Problem) else outcome
        if isinstance(outcome, Problem) and not isinstance(outcome, ServerError):
            return
        self._is_over(action)
        self.mode = Mode.GONE

    def _is_over(self, action: Record) -> None:
        self._done.add(str(action["id"]))
        self.pending = [row for row in self.pending if row["id"] not in self._done]

    def _take_next(self) -> None:
        """The oldest request that was not skipped comes on top."""
        self.mode, self.message, self.scroll = Mode.LOOK, "", 0
        self.current, self.facts, self._learning = self._next(), Facts(), None
        self._since = time.monotonic()
        self._learn()

    def _next(self) -> Record | None:
        return next((row for row in self.pending if row["id"] not in self.skipped), None)

    def _learn(self) -> None:
        """What it has cost and would change; unknown is no reason not to decide."""
        action = self.current
        if action is None or self._learning is action:
            return
        self._learning = action
        self._errands.send(
            lambda client: _facts(client, action),
            lambda outcome: self._learned(action, outcome),
            wanted=lambda: self.current is action,
        )

    def _learned(self, action: Record, outcome: Facts | Problem) -> None:
        if self.current is action:
            self._learning = None
            self.facts = Facts() if isinstance(outcome, Problem) else outcome

    def _left_ms(self) -> int:
        from nullspend_daemon.contract.clock import from_iso

        try:
            return from_iso(str((self.current or {}).get("expiresAt"))) - self.now_ms
        except ValueError:
            return 1


def _what_became(client: Client, action: Record) -> str | None:
    """How a request ended, in a sentence; None while it waits."""
    found = approvals.get(client, str(action["id"]))
    if found.get("status") == approvals.PENDING:
        return None
    names = Names(client)
    return outcome(found, lambda who: names.entity("user", who))


def _facts(client: Client, action: Record) -> Facts:
    budget = approvals.budget_of(client, action)
    entity = "" if budget is None else Names(client).entity(budget["entityType"], budget["entityId"])
    return Facts(approvals.costs(client, str(action["id"])), budget, entity)
