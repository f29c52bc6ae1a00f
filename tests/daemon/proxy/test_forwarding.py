"""Which headers reach a provider: as they came, or as the hosted service sends them."""

import gzip
import zlib

import pytest
from multidict import CIMultiDict

from nullspend_daemon.proxy.decoding import Decoder
from nullspend_daemon.proxy.forwarding import accepted_encodings, to_provider
from nullspend_daemon.proxy.sanitizing import redacted

CLIENTS = CIMultiDict(
    {
        "Authorization": "Bearer sk-one",
        "x-api-key": "sk-two",
        "anthropic-beta": "b",
        "openai-project": "p",
        "User-Agent": "agent/1",
        "Cookie": "c=1",
        "X-NullSpend-Key": "k",
        "NullSpend-Version": "2026-04-01",
        "X-Forwarded-For": "1.2.3.4",
        "Content-Type": "application/json; charset=utf-8",
        "traceparent": "t",
    }
)


def test_headers_travel_as_they_came_and_only_those_of_the_list() -> None:
    sent = to_provider("anthropic", CLIENTS, hosted=False, has_body=True)
    assert dict(sent) == {
        "authorization": "Bearer sk-one",
        "x-api-key": "sk-two",
        "anthropic-beta": "b",
        "openai-project": "p",
        "user-agent": "agent/1",
        "content-type": "application/json; charset=utf-8",
        "traceparent": "t",
        "anthropic-version": "2023-06-01",
        "accept-encoding": "identity",
    }


def test_hosted_sends_the_bearer_as_anthropics_key() -> None:
    sent = to_provider("anthropic", CLIENTS, hosted=True, has_body=True)
    assert dict(sent) == {
        "x-api-key": "sk-one",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "b",
        "traceparent": "t",
        "content-type": "application/json",
        "accept-encoding": "identity",
    }
    without = CIMultiDict({name: value for name, value in CLIENTS.items() if name != "Authorization"})
    assert to_provider("anthropic", without, hosted=True, has_body=True)["x-api-key"] == "sk-two"


def test_hosted_sends_openai_four_headers() -> None:
    sent = to_provider("openai", CLIENTS, hosted=True, has_body=True)
    assert set(sent) == {"authorization", "openai-project", "traceparent", "content-type", "accept-encoding"}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("", "identity"),
        ("br, zstd", "identity"),
        ("gzip, deflate, br, zstd", "gzip, deflate"),
        ("GZIP;q=1.0, *;q=0.5", "GZIP;q=1.0"),
    ],
)
def test_only_encodings_that_can_be_read_here_are_asked_for(given: str, sent: str) -> None:
    assert accepted_encodings(given) == sent


def test_every_encoding_is_read_in_any_pieces_and_garbage_is_nothing() -> None:
    text = b"data: something\n\n" * 100
    raw = zlib.compressobj(wbits=-15)
    packed = {
        "gzip": gzip.compress(text),
        "deflate": zlib.compress(text),
        "": text,
        "identity": text,
    }
    for encoding, content in packed.items():
        decoder = Decoder(encoding)
        assert b"".join(decoder.decode(content[at : at + 7]) for at in range(0, len(content), 7)) == text
    assert Decoder("deflate").decode(raw.compress(text) + raw.flush()) == text
    assert Decoder("gzip").decode(gzip.compress(text) + gzip.compress(text)) == text + text
    assert Decoder("br").decode(b"whatever") == Decoder("gzip").decode(b"no gzip at all") == b""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("org-abcdefghij and org-short", "org-*** and org-short"),
        ("sk-abcd sk-proj-abcd sk-abc task-force", "sk-*** sk-*** sk-abc task-force"),
        ("id 0123456789abcdef0123456789abcdef0", "id ***"),
        ("ask me@example.com", "ask ***@***"),
    ],
)
def test_a_providers_message_is_redacted(text: str, shown: str) -> None:
    assert redacted(text) == shown
