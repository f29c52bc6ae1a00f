"""The daemon's log as the command reads it: its end, and what is added to it."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

_FOLLOW_SECONDS = 0.2
_LEAST_BYTES = 4096
_BYTES_A_LINE = 400


class Log:
    """One daemon's log. `tail` and `follow` share a position, so that no line is missed or seen twice between them."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "daemon.log"
        self._position, self._inode = self._now()

    def tail(self, count: int) -> list[str]:
        """The last `count` lines; empty when there is no log. `follow` goes on after them."""
        try:
            with self._path.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - max(_LEAST_BYTES, count * _BYTES_A_LINE)))
                text = file.read(end - file.tell())
                self._position, self._inode = end, os.fstat(file.fileno()).st_ino
        except OSError:
            return []
        return text.decode("utf-8", "replace").splitlines()[-count:] if count else []

    def follow(self) -> Iterator[str]:
        """Lines as they are added, also across the log's rotation; never ends."""
        rest = ""
        while True:
            size, inode = self._now()
            if inode != self._inode or size < self._position:
                self._position, self._inode = 0, inode
            if size > self._position:
                *whole, rest = (rest + self._added()).split("\n")
                yield from whole
            time.sleep(_FOLLOW_SECONDS)

    def _added(self) -> str:
        with self._path.open("rb") as file:
            file.seek(self._position)
            added = file.read()
            self._position = file.tell()
        return added.decode("utf-8", "replace")

    def _now(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return 0, 0
        return found.st_size, found.st_ino
