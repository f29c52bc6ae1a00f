from collections.abc import Callable

import pytest

from nullspend_cli import live
from nullspend_cli.client import Client
from nullspend_cli.contexts import Place
from nullspend_cli.live import Change, News, Parser
from nullspend_cli.local import State
from nullspend_cli.problems import ServerError, Unreachable
from nullspend_cli.trace import Trace
from tests.fakes.server import FakeServer, Scripted
from tests.fakes.stream import END, streaming_server

ONE_TEXT = '{"type": "test.ping", "data": {"object": {"message": "one"}}}'
ONE = f"id: 7\nevent: test.ping\ndata: {ONE_TEXT}\n\n".encode()
TWO = b'id: 9\nevent: test.ping\ndata: {"type": "test.ping", "data": {"object": {"message": "two"}}}\n\n'


def client_of(url: str, started_at: str = "then") -> Client:
    state = State(url, 1, "1", started_at, "/data", False, False, "token", "u", "e", "o", "cookie", "key")
    return Client(Place("local", "a test", url, daemon=state), Trace(lambda _: None, verbose=False))


def messages(news: News) -> list[str]:
    return [change.object["message"] for change in news.changes]


def test_events_are_whole_wherever_the_stream_is_cut() -> None:
    text = b": hello\r\n\r\n" + ONE.replace(b"\n", b"\r\n") + b"data: no json\n\n" + TWO
    for cut in range(len(text) + 1):
        parser = Parser()
        found = [*(parser.feed(text[:cut]) or ()), *(parser.feed(text[cut:]) or ())]
        assert [(change.seq, change.type, change.object["message"]) for change in found] == [
            (7, "test.ping", "one"),
            (9, "test.ping", "two"),
        ]
        assert parser.last_id == 9


def test_a_comment_is_a_sign_of_life_and_half_an_event_is_nothing_yet() -> None:
    parser = Parser()
    assert parser.feed(b": still here\n\n") == []
    assert parser.feed(ONE[:20]) is None
    assert parser.feed(ONE[20:]) == [
        Change(7, {"type": "test.ping", "data": {"object": {"message": "one"}}}, ONE_TEXT),
    ]


def test_a_restarted_server_is_found_again_and_resumed_after_the_last_event() -> None:
    with streaming_server() as first, streaming_server() as second:
        urls = [first.url, second.url]
        first.pieces.put(ONE)
        first.pieces.put(END)
        second.pieces.put(TWO)
        news = live.follow(lambda: client_of(urls.pop(0)), messages, types=("test.ping", "budget.reset"))
        assert [next(news) for _ in range(4)] == [[], ["one"], [], ["two"]]
        assert first.asked[0]["path"] == "/_local/events?types=test.ping%2Cbudget.reset"
        assert first.asked[0]["authorization"] == "Bearer token"
        assert "last-event-id" not in first.asked[0]
        assert second.asked[0]["last-event-id"] == "7"


def test_what_could_not_be_looked_at_is_looked_at_again() -> None:
    with streaming_server() as server:
        server.pieces.put(ONE)
        failures = [Unreachable("Gone.")]

        def look(news: News) -> list[str]:
            if news.changes and failures:
                server.pieces.put(END)
                raise failures.pop()
            return messages(news)

        news = live.follow(lambda: client_of(server.url), look)
        assert [next(news), next(news)] == [[], ["one"]]
        assert [asked.get("last-event-id") for asked in server.asked] == [None, "7"]


def test_a_server_that_is_away_is_waited_for_and_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live.time, "sleep", lambda seconds: None)
    said: list[str] = []
    with streaming_server() as server:
        server.pieces.put(END)
        tries = iter([*[Unreachable("No daemon is running.")] * 5])

        def connect() -> Client:
            if said or len(server.asked) == 1:
                for problem in tries:
                    raise problem
            return client_of(server.url)

        news = live.follow(connect, messages, say=said.append)
        assert [next(news), next(news)] == [[], []]
        assert next(iter(said)) == "No daemon is running. Waiting for it."
        server.pieces.put(ONE)
        assert next(news) == ["one"]
        assert said == ["No daemon is running. Waiting for it.", "The server answers again."]


def test_the_first_connection_must_stand() -> None:
    def nobody() -> Client:
        raise Unreachable("No daemon is running.")

    with pytest.raises(Unreachable):
        next(live.follow(nobody, messages))


@pytest.mark.parametrize("restarted", [True, False])
def test_a_refused_token_is_worth_another_try_only_at_another_daemon(restarted: bool) -> None:
    with streaming_server() as server:
        server.status = 401
        starts = iter(["one", "two" if restarted else "one"])

        def connect() -> Client:
            server.status = 401 if len(server.asked) < 1 or not restarted else 200
            return client_of(server.url, next(starts))

        news = live.follow(connect, messages)
        if restarted:
            assert next(news) == []
        else:
            with pytest.raises(ServerError):
                next(news)


def _hosted(server: FakeServer) -> Callable[[], Client]:
    return lambda: Client(Place("elsewhere", "a test", server.url), Trace(lambda _: None, verbose=False))


def test_a_server_without_a_stream_is_looked_at_again_and_again(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(live.time, "sleep", slept.append)
    news = live.follow(_hosted(server), lambda news: (news.streamed, news.changes))
    assert [next(news) for _ in range(3)] == [(False, [])] * 3
    assert slept == [5.0, 5.0]
    assert server.asked == []


def test_a_daemon_that_has_no_stream_yet_is_polled(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live.time, "sleep", lambda seconds: None)
    news = live.follow(lambda: client_of(server.url), lambda news: news.streamed)
    assert [next(news), next(news)] == [False, False]
    assert len(server.asked_for("GET", "/_local/events")) == 1


def test_a_server_that_is_asked_too_often_gets_a_rest(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(live.time, "sleep", slept.append)
    server.answer(
        "GET",
        "/api/version",
        Scripted(429, {"error": {"code": "rate_limit_exceeded", "message": "Slow down."}}, (("Retry-After", "60"),)),
        {"version": "1"},
    )
    news = live.follow(_hosted(server), lambda news: news.client.get("/api/version", auth=live.Auth.NONE))
    assert next(news) == {"version": "1"}
    assert slept == [5.0]
