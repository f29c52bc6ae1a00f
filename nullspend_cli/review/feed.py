"""What changes on the server while the queue is open, heard on a thread of its own."""

import threading
import time
from collections.abc import Iterator
from queue import Empty, SimpleQueue

from nullspend_cli.live import Connect
from nullspend_cli.problems import Unreachable, problem_of
from nullspend_cli.requests_feed import Queue, follow_queue

_AGAIN_SECONDS = 1.0

News = Queue | str
"""The queue as it is now, or a sentence about the connection."""


class Feed:
    """Listens until the process ends."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._heard: SimpleQueue[News] = SimpleQueue()
        threading.Thread(target=self._listen, name="feed", daemon=True).start()

    def news(self) -> Iterator[News]:
        """What came since the last time."""
        while True:
            try:
                yield self._heard.get_nowait()
            except Empty:
                return

    def _follow(self) -> None:
        """Ends when the server is away at the very beginning, which `follow_queue` does not wait for."""
        try:
            for queue in follow_queue(self._connect, self._heard.put):
                self._heard.put(queue)
        except Unreachable as error:
            self._heard.put(f"{error.message} Waiting for it.")

    def _listen(self) -> None:
        try:
            while True:
                self._follow()
                time.sleep(_AGAIN_SECONDS)
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to: the screen says it
            self._heard.put(f"New requests are not heard of any more: {problem_of(error).message}")
