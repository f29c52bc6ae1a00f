"""Every recorded exchange is read: tokens, stop reasons, tool calls and costs.

recorded-usage.csv holds what is expected: the tokens as they stand in the recording, and their cost at the published
rates (USD per million tokens: input, cached, output; Anthropic also cache writes of 5 minutes):
gpt-4o 2.5 1.25 10, gpt-4o-mini 0.15 0.075 0.6, gpt-4.1 2 0.5 8, gpt-4.1-mini 0.4 0.1 1.6, gpt-5 1.25 0.125 10,
gpt-5-mini 0.25 0.025 2, gpt-5.2 1.75 0.175 14, gpt-5.4 2.5 0.25 15, gpt-5.4-mini 0.75 0.075 4.5, o3-mini 1.1 0.55 4.4,
o4-mini 1.1 0.275 4.4, text-embedding-3-small 0.02; claude-sonnet-4-0, -4-5 and -4-6 3 0.3 15 and 3.75,
claude-haiku-4-5 1 0.1 5 and 1.25.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nullspend_daemon.pricing.catalogue import Catalogue
from nullspend_daemon.pricing.cost import cost_of
from nullspend_daemon.pricing.stream import StreamReader
from nullspend_daemon.pricing.usage import Observed, read_json

RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"
SHAPES: dict[str, Any] = {
    "/v1/messages": "messages",
    "/v1/chat/completions": "chat",
    "/v1/embeddings": "embeddings",
    "/v1/responses": "responses",
}
EXPECTED = list(csv.DictReader(Path(__file__).with_name("recorded-usage.csv").read_text().splitlines()))
pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="there are no recordings beside the project")


def recordings() -> Iterator[dict[str, Any]]:
    for path in sorted(RECORDINGS.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            recording = json.loads(line)
            if recording["status"] == 200:
                yield recording


@pytest.fixture(scope="module")
def by_id() -> dict[str, dict[str, Any]]:
    return {recording["id"]: recording for recording in recordings()}


def shape_of(recording: dict[str, Any]) -> Any:
    return SHAPES[recording["path"].partition("?")[0]]


def observe(recording: dict[str, Any], step: int | None = None) -> Observed:
    body = recording["body"].encode()
    if not recording["stream"]:
        return read_json(shape_of(recording), body)
    reader = StreamReader(shape_of(recording))
    for start in range(0, len(body), step or len(body)):
        reader.feed(body[start : start + (step or len(body))])
    return reader.finish()


@pytest.mark.parametrize("expected", EXPECTED, ids=[row["id"] for row in EXPECTED])
def test_tokens_stop_reason_tool_calls_and_cost_are_right(
    by_id: dict[str, dict[str, Any]], tmp_path: Path, expected: dict[str, str]
) -> None:
    recording = by_id[expected["id"]]
    observed = observe(recording)
    usage = observed.usage
    assert usage is not None
    assert (usage.input, usage.cached, usage.output, usage.reasoning) == tuple(
        int(expected[name]) for name in ("input", "cached", "output", "reasoning")
    )
    assert (observed.stop_reason or "") == expected["stop_reason"]
    assert len(observed.tool_calls or []) == int(expected["tool_calls"])
    price = Catalogue(tmp_path / "prices.toml").price(recording["provider"], expected["model"])
    cost = cost_of(shape_of(recording), usage, price)
    assert cost.total == int(expected["microdollars"])
    assert cost.breakdown is not None
    assert sum(cost.breakdown[part] for part in ("input", "output", "cached")) == cost.total


def test_every_recording_tells_its_model_and_usage_but_the_one_that_is_only_queued() -> None:
    without = [recording["id"] for recording in recordings() if observe(recording).usage is None]
    assert without == ["28cbe1d94558"]
    assert all(observe(recording).model for recording in recordings())
    assert all(observe(recording).complete for recording in recordings())


def test_every_stream_fed_byte_by_byte_and_in_odd_pieces_says_the_same() -> None:
    streams = [recording for recording in recordings() if recording["stream"]]
    assert len(streams) == 23
    for recording in streams:
        whole = observe(recording)
        for step in (1, 7, 64, 1023):
            assert observe(recording, step) == whole, f"{recording['id']} in pieces of {step}"
