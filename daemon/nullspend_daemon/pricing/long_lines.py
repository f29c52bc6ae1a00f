"""The last event of a Responses stream when it is too long to keep: its usage stands near its end.

That event repeats the instructions, the tools and the whole output, so long calls, the dear ones, would otherwise be
charged their estimate.
"""

import json
import re
from dataclasses import dataclass, field

from nullspend_daemon.pricing.usage import Observed, Usage, responses_usage

_HEAD, _TAIL = 4_096, 16_384
"""Bytes that are kept of the beginning and of the end of such a line."""
_FINAL = re.compile(rb'"type"\s*:\s*"response\.(completed|incomplete|failed)"')
_REASON = re.compile(rb'"incomplete_details"\s*:\s*\{\s*"reason"\s*:\s*"(\w+)"')
_USAGE = re.compile(r'(?<!\\)"usage"\s*:\s*(?=\{)')


@dataclass(slots=True)
class LongLine:
    """A line that passes by, of which only both ends are kept."""

    head: bytes
    _tail: bytearray = field(default_factory=bytearray)

    @classmethod
    def begun(cls, start: bytes) -> "LongLine | None":
        """The line that starts with `start`, or None when it is not a final event."""
        head = start[:_HEAD]
        return cls(head, bytearray(start[-_TAIL:])) if _FINAL.search(head) else None

    def append(self, piece: bytes) -> None:
        """More of the line."""
        self._tail += piece[-_TAIL:]
        if len(self._tail) > 2 * _TAIL:
            del self._tail[:-_TAIL]

    def observed(self, so_far: Observed) -> Observed | None:
        """What the event says, completed by what the stream said before; None without a usage."""
        kind, reason, usage = _FINAL.search(self.head), _REASON.search(self.head), self._usage()
        if kind is None or usage is None:
            return None
        status = kind[1].decode()
        return Observed(
            usage=usage,
            model=so_far.model,
            stop_reason=reason[1].decode() if reason else status,
            tool_calls=so_far.tool_calls,
            response_id=so_far.response_id,
            status=status,
        )

    def _usage(self) -> Usage | None:
        """The last usage object. Quotes inside a text are escaped, so no text can look like one."""
        text = bytes(self._tail[-_TAIL:]).decode("utf-8", "replace")
        for found in reversed(list(_USAGE.finditer(text))):
            try:
                usage = responses_usage(json.JSONDecoder().raw_decode(text, found.end())[0])
            except (ValueError, RecursionError):
                continue
            if usage is not None:
                return usage
        return None
