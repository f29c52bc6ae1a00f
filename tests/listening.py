"""A listener of GET /_local/events, as a test sees it: real HTTP, one event after the other."""

import json
import queue
import socket
import threading
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.machine import Daemon


class Heard(NamedTuple):
    """One server-sent event: its number, its type, the envelope and the text the envelope came as."""

    seq: int
    type: str
    envelope: dict[str, Any]
    text: str

    @property
    def object(self) -> dict[str, Any]:
        """The event's own content."""
        return self.envelope["data"]["object"]


class Listener:
    """Listens from its making until it is closed; `next` waits for what comes."""

    def __init__(self, daemon: Daemon, query: str = "", headers: dict[str, str] | None = None) -> None:
        credential = {"Authorization": f"Bearer {daemon.state['adminToken']}"}
        self._connection = HTTPConnection(urlsplit(daemon.url).netloc, timeout=60)
        self._connection.request("GET", f"/_local/events{query}", headers={**credential, **(headers or {})})
        self.reply: HTTPResponse = self._connection.getresponse()
        self._socket = self._connection.sock
        self.comments: list[str] = []
        self._heard: queue.SimpleQueue[Heard | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        if self.reply.status == 200:
            assert self.reply.readline().startswith(b":"), "the stream says at once that it listens"
            self.stands_at = int(self.reply.readline().removeprefix(b"id: "))
            self._thread = threading.Thread(target=self._read, daemon=True)
            self._thread.start()

    def next(self, timeout: float = 20) -> Heard:
        """The next event. Fails when none comes, or when the stream has ended."""
        heard = self._heard.get(timeout=timeout)
        assert heard is not None, "the stream has ended"
        return heard

    def take(self, count: int) -> list[Heard]:
        """The next `count` events."""
        return [self.next() for _ in range(count)]

    def is_silent(self, seconds: float = 0.3) -> bool:
        """Whether nothing comes for a while."""
        try:
            self._heard.get(timeout=seconds)
        except queue.Empty:
            return True
        return False

    def ended(self, timeout: float = 20) -> bool:
        """Whether the stream ends, with nothing more in it."""
        return self._heard.get(timeout=timeout) is None

    def close(self) -> None:
        """Goes away as a client does that is killed."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        if self._thread is not None:
            self._thread.join(20)
        self.reply.close()
        self._connection.close()

    def _read(self) -> None:
        fields: dict[str, str] = {}
        try:
            while line := self.reply.readline().decode():
                name, _, value = line.rstrip("\n").partition(": ")
                if line.startswith(":"):
                    self.comments.append(line.rstrip("\n"))
                elif name:
                    fields[name] = value
                elif "data" in fields:
                    text = fields["data"]
                    self._heard.put(Heard(int(fields["id"]), fields["event"], json.loads(text), text))
                    fields = {}
        except (OSError, HTTPException, ValueError):
            pass
        self._heard.put(None)
