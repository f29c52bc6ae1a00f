"""What the desk asks the server, on a thread of its own: a server that hangs never holds the keys up."""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from nullspend_cli.client import Client
from nullspend_cli.live import Connect
from nullspend_cli.problems import Problem, problem_of

T = TypeVar("T")


class Errands:
    """Runs errands one after the other until the process ends. What they bring back waits for the screen's loop."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._back: SimpleQueue[Callable[[], None]] = SimpleQueue()
        threading.Thread(target=self._run, name="errands", daemon=True).start()

    def send(
        self, ask: Callable[[Client], T], then: Callable[[T | Problem], None], wanted: Callable[[], bool] = lambda: True
    ) -> None:
        """Ask the server when its turn comes, if it is still wanted then; `then` gets the answer or what went wrong."""

        def errand() -> None:
            if not wanted():
                return
            outcome: Any
            try:
                outcome = ask(self._connect())
            except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to: the desk says it
                outcome = problem_of(error)
            self._back.put(lambda: then(outcome))

        self._waiting.put(errand)

    def take_in(self) -> None:
        """Hand over what has come back."""
        while True:
            try:
                came_back = self._back.get_nowait()
            except Empty:
                return
            came_back()

    def _run(self) -> None:
        while True:
            self._waiting.get()()
