"""Wakes coroutines after commits, so that whoever waits for news neither polls nor misses any."""

import asyncio

from nullspend_daemon.store.database import Database


class Bell:
    """Rings once for all commits of a topic that came since it last rang."""

    def __init__(self, database: Database, topic: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._next = asyncio.Event()
        self._ringing = False
        database.on(topic, self._committed)

    def next(self) -> asyncio.Event:
        """Set at the first commit from now on. Take it before reading: what is committed in between rings it too."""
        return self._next

    def ring(self) -> None:
        """Wake everybody who waits."""
        self._ringing = False
        rung, self._next = self._next, asyncio.Event()
        rung.set()

    def _committed(self) -> None:
        # On the writer thread. A wake-up that is still on its way stands for this commit as well.
        if not self._ringing:
            self._ringing = True
            self._loop.call_soon_threadsafe(self.ring)
