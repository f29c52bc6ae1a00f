"""What a follower sees of a list that grows: each event once, whatever shares its moment, however late it comes."""

from typing import Any

from nullspend_cli import transport
from nullspend_cli.client import Client
from nullspend_cli.contexts import Place
from nullspend_cli.filters import Filters, Span
from nullspend_cli.live import News
from nullspend_cli.trace import Trace
from nullspend_cli.unseen import Unseen
from tests.fakes.server import FakeServer


def event(number: int, at: str) -> dict[str, Any]:
    return {"id": f"ns_evt_019a0000-0000-7000-8000-{number:012}", "createdAt": f"2026-04-01T00:00:{at}Z"}


def numbers(found: list[dict[str, Any]]) -> list[int]:
    return [int(each["id"][-12:]) for each in found]


def look_at(server: FakeServer, unseen: Unseen, *newest_first: dict[str, Any]) -> list[int]:
    server.answer("GET", "/api/cost-events", {"data": list(newest_first), "cursor": None})
    place = Place("elsewhere", "a test", server.url)
    place.session = "cookie"  # type: ignore[misc]
    try:
        return numbers(unseen.look(News(Client(place, Trace(lambda _: None, verbose=False)), [], False)))
    finally:
        transport.close()


def test_what_shares_the_newest_moment_is_not_taken_for_new(server: FakeServer) -> None:
    unseen = Unseen(Filters({}, Span()), 1)
    together = [event(3, "10.000"), event(2, "10.000"), event(1, "10.000")]
    assert look_at(server, unseen, *together) == [3]
    assert look_at(server, unseen, *together) == []
    assert look_at(server, unseen, event(4, "10.000"), *together) == [4]


def test_an_event_that_comes_late_is_seen_and_an_old_one_is_not_seen_again(server: FakeServer) -> None:
    unseen = Unseen(Filters({}, Span()), 0)
    old = event(1, "01.000")
    assert look_at(server, unseen, event(3, "10.000"), old) == []
    assert look_at(server, unseen, event(4, "10.500"), event(3, "10.000"), event(2, "09.200"), old) == [2, 4]
    assert look_at(server, unseen, event(4, "10.500"), event(3, "10.000"), event(2, "09.200"), old) == []


def test_a_list_that_was_empty_shows_everything_from_then_on(server: FakeServer) -> None:
    unseen = Unseen(Filters({}, Span()), 10)
    assert look_at(server, unseen) == []
    assert look_at(server, unseen, event(2, "02.000"), event(1, "01.000")) == [1, 2]
