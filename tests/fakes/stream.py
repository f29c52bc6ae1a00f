"""A server that streams what a test tells it to, over real HTTP, and remembers how it was asked."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.fakes.serving import serving

END = b""


class StreamingServer:
    """Sends each connection what is put in `pieces`; END ends the connection that reads it."""

    def __init__(self) -> None:
        self.pieces: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.asked: list[dict[str, str]] = []
        """The headers of each request, names in lower case, with `path`."""
        self.status = 200
        self.length: int | None = None
        """The Content-Length it promises."""
        self.url = ""


def _handler(server: StreamingServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append({"path": self.path, **{name.lower(): text for name, text in self.headers.items()}})
            self.send_response(server.status)
            self.send_header("Content-Type", "text/event-stream")
            if server.length is not None:
                self.send_header("Content-Length", str(server.length))
            self.end_headers()
            while server.status == 200 and (piece := server.pieces.get()) != END:
                self.wfile.write(piece)
                self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:
            """Tests print nothing."""

    return Handler


@contextmanager
def streaming_server() -> Iterator[StreamingServer]:
    """A streaming server on a free port of this machine."""
    fake = StreamingServer()
    with serving(
        ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake)), before_the_end=lambda: fake.pieces.put(END)
    ) as port:
        fake.url = f"http://127.0.0.1:{port}"
        yield fake
