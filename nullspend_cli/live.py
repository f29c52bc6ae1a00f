"""What happens on a server, as it happens: the local daemon's event stream, polite polling everywhere else.

    for rows in live.follow(run.connect, look, types=("cost_event.created",)):
        ...

`look` is called with the news: once when the connection stands, then whenever events came, and now and then when none
did. It runs inside the loop that reconnects, so its own requests may fail: it is called again with the same news once
the server is back. Nothing is lost over a restart, since the stream is resumed after the last event `look` has seen.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from nullspend_cli import transport
from nullspend_cli.client import Auth, Client
from nullspend_cli.problems import Problem, ServerError, Unreachable
from nullspend_cli.replies import Record

PATH = "/_local/events"
POLL_SECONDS = 5.0
"""Between two looks at a server without a stream: 12 a minute, a fifth of what the strictest server grants."""
_QUIET_SECONDS = 40.0
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 2.0
_PASSING = frozenset({429, 502, 503, 504})

T = TypeVar("T")
Connect = Callable[[], Client]


class Change(NamedTuple):
    """One event of the webhook catalogue. `seq` is its place in the server's log."""

    seq: int
    envelope: Record
    text: str = ""
    """The envelope as it came, byte for byte what a webhook receiver gets."""

    @property
    def type(self) -> str:
        """Its name in the catalogue."""
        return str(self.envelope.get("type", ""))

    @property
    def object(self) -> Record:
        """`data.object` of the envelope."""
        data = self.envelope.get("data")
        found = data.get("object") if isinstance(data, dict) else None
        return found if isinstance(found, dict) else {}


class News(NamedTuple):
    """What came since the last look. `client` is good for requests now; an older one may know a server that is gone.
    `streamed` is False for a server that tells nothing by itself: its lists have to be looked through."""

    client: Client
    changes: list[Change]
    streamed: bool


Look = Callable[[News], T]


def _say_nothing(sentence: str) -> None:
    pass


def follow(
    connect: Connect,
    look: Look[T],
    *,
    types: Sequence[str] = (),
    params: Mapping[str, str | None] | None = None,
    after: int | None = None,
    say: Callable[[str], None] = _say_nothing,
) -> Iterator[T]:
    """What `look` makes of the news, for ever. `types` and further `params` narrow the stream, `after` resumes it
    behind a known event.

    Raises what the first connection raises; from then on it waits for a server that is away, and says so once.
    """
    feed = _Feed(connect, look, {**(params or {}), "types": ",".join(types) or None}, after)
    feed.open()
    wait = _FIRST_WAIT
    away = False
    while True:
        try:
            for made in feed.news():
                if away:
                    say("The server answers again.")
                wait, away = _FIRST_WAIT, False
                yield made
        except Problem as problem:
            if not feed.passes(problem):
                raise
            if not away and wait > _FIRST_WAIT:  # a quick restart is not worth a word
                say(f"{problem.message} Waiting for it.")
                away = True
            if isinstance(problem, ServerError) and problem.status == 429:
                wait = POLL_SECONDS
        time.sleep(wait)
        wait = min(_LONGEST_WAIT, wait * 2)


class _Feed:
    """One follower: its connection, and how far it has come."""

    def __init__(self, connect: Connect, look: Look[T], params: Mapping[str, str | None], after: int | None) -> None:
        self._connect = connect
        self._look: Look[Any] = look
        self._params = params
        self._after = after
        self._client: Client | None = None
        self._has_stream = True
        self._untold: list[Change] = []

    def open(self) -> Client:
        """The client in use; a new one after a failure. Raises Problem."""
        if self._client is None:
            self._client = self._connect()
        return self._client

    def news(self) -> Iterator[Any]:
        """What `look` makes of everything until the connection ends. Raises Problem."""
        client = self.open()
        if self._has_stream and client.place.daemon is not None:
            try:
                yield from self._streamed(client)
                self._client = None
                return
            except ServerError as error:
                if error.status != 404:
                    raise
                self._has_stream = False
        while True:
            yield self._look(News(client, [], False))
            time.sleep(POLL_SECONDS)

    def _streamed(self, client: Client) -> Iterator[Any]:
        resume = {} if self._after is None else {"Last-Event-ID": str(self._after)}
        with client.stream(PATH, self._params, auth=Auth.ADMIN, headers=resume, quiet_seconds=_QUIET_SECONDS) as chunks:
            yield self._told(client)
            parser = Parser()
            for chunk in chunks:
                changes = parser.feed(chunk)
                self._untold += changes or ()
                self._after = parser.last_id if parser.last_id is not None else self._after
                if changes is not None:
                    yield self._told(client)

    def _told(self, client: Client) -> Any:
        """What `look` makes of what it has not been told yet."""
        try:
            made = self._look(News(client, list(self._untold), True))
        finally:
            transport.close()  # nothing idle stays open: a daemon that stops waits for it
        self._untold.clear()
        return made

    def passes(self, problem: Problem) -> bool:
        """Whether waiting helps; the next try starts from what the machine says then."""
        before, self._client = self._client, None
        if isinstance(problem, Unreachable):
            return True
        if not isinstance(problem, ServerError):
            return False
        return problem.status in _PASSING or (problem.status == 401 and self._was_replaced(before))

    def _was_replaced(self, client: Client | None) -> bool:
        """Whether another daemon has taken the place of the one that was asked: its credentials are new ones."""
        if client is None or client.place.daemon is None:
            return False
        try:
            now = self.open().place.daemon
        except Unreachable:
            return True
        return now is not None and now.started_at != client.place.daemon.started_at


class Parser:
    """Server-sent events, cut anywhere."""

    def __init__(self) -> None:
        self.last_id: int | None = None
        """The number of the last event that was whole."""
        self._rest = b""
        self._id: int | None = None
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[Change] | None:
        """The events that are whole now; empty when only a sign of life came, None while something is cut."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        changes: list[Change] = []
        for line in lines:
            self._take(line.rstrip(b"\r").decode("utf-8", "replace"), changes)
        return changes if any(line in (b"", b"\r") for line in lines) else None

    def _take(self, line: str, changes: list[Change]) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            self._dispatch(changes)
        elif name == "data":
            self._data.append(value)
        elif name == "id" and value.isascii() and value.isdigit():
            self._id = int(value)

    def _dispatch(self, changes: list[Change]) -> None:
        data, self._data = "\n".join(self._data), []
        if self._id is not None:
            self.last_id = self._id
        if data:
            envelope = _json(data)
            if isinstance(envelope, dict):
                changes.append(Change(self.last_id or 0, envelope, data))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
