"""What `-v` and NULLSPEND_DEBUG=api show of the requests, with every secret masked."""

import os
import re
from collections.abc import Callable, Mapping

from nullspend_cli.render import visible

_RAW_KEY = re.compile(r"(ns_live_sk_[0-9a-f]{8})[0-9a-f]{24}")
_SECRET_FIELD = re.compile(
    r'("(?:rawKey|apiKey|cookie|adminToken|signingSecret|token|formToken|stripeKey|secret)"\s*:\s*")[^"]*'
)
_SECRET_PARAMETER = re.compile(r"""((?:^|[?&])token=)[^&"\s]*""")
_SECRET_HEADERS = frozenset({"x-nullspend-key", "cookie", "set-cookie", "authorization", "proxy-authorization"})
_BODY_SHOWN = 2000


def masked(text: str) -> str:
    """`text` with keys cut to their prefix and the values of secret JSON fields and tokens of addresses replaced."""
    return _SECRET_PARAMETER.sub(r"\1***", _SECRET_FIELD.sub(r"\1***", _RAW_KEY.sub(r"\1***", text)))


class Trace:
    """Writes request lines with `-v`, headers and bodies too with NULLSPEND_DEBUG=api."""

    def __init__(self, write: Callable[[str], None], *, verbose: bool) -> None:
        self._write = write
        self._bodies = os.environ.get("NULLSPEND_DEBUG") == "api"
        self._lines = verbose or self._bodies

    def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> None:
        """What is about to be sent; shown only with headers and body, the line itself follows with the reply."""
        if self._bodies:
            self._write(f"> {method} {masked(url)}")
            self._block(">", headers, body)

    def reply(self, method: str, url: str, status: int, ms: float, headers: Mapping[str, str], body: bytes) -> None:
        """What came back, with the time it took."""
        if self._lines:
            self._write(f"{method} {masked(url)} {status} {ms:.0f} ms")
        if self._bodies:
            self._block("<", headers, body)

    def _block(self, sign: str, headers: Mapping[str, str], body: bytes | None) -> None:
        for name, value in headers.items():
            self._write(f"{sign} {name}: {'***' if name.lower() in _SECRET_HEADERS else visible(masked(value))}")
        if body:
            text = masked(body.decode("utf-8", "replace"))
            self._write(f"{sign} {visible(text[:_BODY_SHOWN])}" + (" ..." if len(text) > _BODY_SHOWN else ""))
