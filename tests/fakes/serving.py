"""How a fake is served: on a port of this machine, in a thread of its own, until the test is over."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer


@contextmanager
def serving(server: ThreadingHTTPServer, *, before_the_end: Callable[[], object] = lambda: None) -> Generator[int]:
    """Serves until the block ends; the value is the port. `before_the_end` lets go of requests that still wait."""
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        before_the_end()
        server.shutdown()
        server.server_close()
        thread.join()
