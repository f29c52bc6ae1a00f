"""API keys never show in what the daemon writes: the `/k/<key>/` form of a path and raw keys anywhere in a text."""

import logging
import re

_SECRETS = re.compile(r"(?<=/k/)[^/\s?#'\"]+|ns_live_sk_[0-9a-zA-Z]+")


def masked(text: str) -> str:
    """`text` with every API key in it replaced by `***`."""
    return _SECRETS.sub("***", text)


class MaskingFormatter(logging.Formatter):
    """Formats as usual, then masks the whole entry: message, exception and traceback."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))
