"""What one reply will say and count, whatever shape it takes: equal requests get equal replies."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nullspend_daemon.pricing.estimate import copies, given_cap, output_cap
from nullspend_daemon.pricing.shapes import Json, Shape, as_list, as_object, model_of
from nullspend_daemon.proxy.fake.knobs import Knobs

CREATED = 1_750_000_000
"""The time every reply names, in epoch seconds: the same request is answered with the same bytes."""
MAX_PIECES = 64
_SENTENCE = "This reply comes from the fake provider of NullSpend on this machine and costs nobody anything"
_LEAST_OUTPUT, _SPREAD = 16, 48
_DELIVERY = ("stream", "stream_options")
"""Fields that say how a reply is delivered, not what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One reply. Token counts are totals; `digest` is hex and names the reply."""

    model: str
    digest: str
    text: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    copies: int
    cut_short: bool
    """Whether the output is as long as the request allows."""

    @property
    def pieces(self) -> list[str]:
        """The text as it is streamed: word by word, at most 64 pieces."""
        words = self.text.split(" ")
        each = -(-len(words) // MAX_PIECES)
        starts = range(0, len(words), each)
        return [(" " if start else "") + " ".join(words[start : start + each]) for start in starts]


def write_script(shape: Shape, body: Json, knobs: Knobs) -> Script:
    """What the reply to `body` says and counts."""
    digest = hashlib.sha256(_canonical(body)).hexdigest()
    given = given_cap(shape, body)
    cap = output_cap(shape, body) if given is None else int(given)
    wanted = _LEAST_OUTPUT + int(digest, 16) % _SPREAD
    output = min(cap, wanted) if knobs.output_tokens is None else knobs.output_tokens
    return Script(
        model=model_of(body),
        digest=digest,
        text=_words(output) if knobs.text is None else knobs.text,
        input_tokens=count_input(body) if knobs.input_tokens is None else knobs.input_tokens,
        output_tokens=output,
        cached_tokens=knobs.cached_tokens,
        reasoning_tokens=knobs.reasoning_tokens,
        copies=min(copies(shape, body), 128),
        cut_short=given is not None and output >= cap,
    )


def count_input(body: Json) -> int:
    """A token for every four bytes of text in the request, rounded up; a token that is sent as a number is one."""
    texts = list(_texts(body))
    numbers = sum(1 for text in texts if text is None)
    return -(-sum(len(text.encode("utf-8", "replace")) for text in texts if text is not None) // 4) + numbers


def _canonical(body: Json) -> bytes:
    asked = {name: value for name, value in body.items() if name not in _DELIVERY}
    return json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()


def _words(count: int) -> str:
    words = _SENTENCE.split(" ")
    return " ".join(words[index % len(words)] for index in range(min(count, MAX_PIECES)))


def _texts(body: Json) -> Iterator[str | None]:
    """Every text a model would read; None for a token given as a number."""
    yield from _content(body.get("system"))
    yield from _content(body.get("instructions"))
    for message in as_list(body.get("messages")):
        yield from _content(as_object(message).get("content"))
    for name in ("input", "prompt"):
        yield from _content(body.get(name))


def _content(node: Any) -> Iterator[str | None]:
    waiting: list[Any] = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            yield part
        elif type(part) is int:
            yield None
        elif isinstance(part, list):
            waiting.extend(reversed(part))
        elif isinstance(part, dict):
            waiting.extend(part[name] for name in ("content", "text", "output") if name in part)
