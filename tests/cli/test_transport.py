import socket
import threading
from collections.abc import Iterator

import pytest

from nullspend_cli import transport
from nullspend_cli.problems import Unreachable, Usage
from tests.fakes.server import FakeServer, Scripted


@pytest.fixture(autouse=True)
def no_connection_is_left_open() -> Iterator[None]:
    yield
    transport.close()


@pytest.fixture
def closed_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def speaks(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that says some bytes and hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(request.param)

    thread = threading.Thread(target=talk)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    thread.join()
    listener.close()


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Example.COM", "https://example.com"),
        ("https://example.com:443/", "https://example.com"),
        ("http://127.0.0.1:4747", "http://127.0.0.1:4747"),
        ("http://[::1]:4747", "http://[::1]:4747"),
        (" http://localhost ", "http://localhost"),
    ],
)
def test_an_address_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert transport.origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://x",
        "https://",
        "https://u:p@x",
        "https://x/api",
        "https://x?a=1",
        "http://x:99999",
        "http://[x",
    ],
)
def test_anything_else_is_no_address(url: str) -> None:
    with pytest.raises(Usage, match="is not the address of a server"):
        transport.origin_of(url)


@pytest.mark.parametrize(
    ("origin", "loopback"),
    [
        ("http://127.0.0.1:1", True),
        ("http://127.1.2.3", True),
        ("http://localhost", True),
        ("http://[::1]:5", True),
        ("http://localhost.example", False),
        ("https://10.0.0.1", False),
    ],
)
def test_this_machine_is_told_from_others(origin: str, loopback: bool) -> None:
    assert transport.is_loopback(origin) is loopback


def test_a_reply_comes_back_whole(server: FakeServer) -> None:
    server.answer(
        "GET", "/x", Scripted(203, {"a": "ü"}, (("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Two", "2")))
    )
    answer = transport.send(server.url, "GET", "/x?y=1", {"X-One": "1"})
    assert (answer.status, answer.cookies, answer.headers["x-two"]) == (203, ("a=1", "b=2"), "2")
    assert answer.body == b'{"a": "\\u00fc"}'
    assert (server.asked[0].query, server.asked[0].headers["x-one"]) == ({"y": "1"}, "1")


def test_nobody_there_is_unreachable_and_nothing_was_sent(closed_port: str) -> None:
    with pytest.raises(
        Unreachable, match=r"No server answers at http://127\.0\.0\.1:[0-9]+: connection refused\."
    ) as problem:
        transport.send(closed_port, "GET", "/", {})
    assert problem.value.reply_lost is False


@pytest.mark.parametrize(
    "speaks", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"], indirect=True
)
def test_a_reply_that_breaks_off_is_unreachable_and_lost(speaks: str) -> None:
    with pytest.raises(Unreachable, match="the connection broke, or this is no HTTP server") as problem:
        transport.send(speaks, "GET", "/", {})
    assert problem.value.reply_lost is True


def test_a_connection_the_server_has_closed_is_opened_again(server: FakeServer) -> None:
    server.answer("GET", "/x", Scripted(200, {}, (("Connection", "close"),)))
    for _ in range(3):
        assert transport.send(server.url, "GET", "/x", {}).status == 200


def test_a_header_no_http_message_can_carry_is_a_usage_error(server: FakeServer) -> None:
    with pytest.raises(Usage, match="a character that no HTTP header can carry"):
        transport.send(server.url, "GET", "/x", {"Cookie": "a=1\r\nX-Evil: 1"})
    with pytest.raises(Usage, match="a character that no HTTP header can carry"):
        transport.send(server.url, "GET", "/x", {"Cookie": "a=鍵"})
    assert server.asked == []


def test_a_proxy_of_the_environment_is_used_for_servers_elsewhere_only(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    server.answer("GET", "/x", {"through": "the proxy"})
    assert transport.send("http://elsewhere.example", "GET", "/x", {}).body == b'{"through": "the proxy"}'
    assert server.asked[-1].headers["host"] == "elsewhere.example"
    server.answer("GET", "/direct", {})
    transport.send(server.url, "GET", "/direct", {})
    assert server.asked[-1].headers["host"] == server.url.removeprefix("http://")
