"""Real exchanges of providers and their clients, replayed by an upstream: identical bytes, and the right event.

The recordings are no part of this project; they are read from beside it, where they are.
"""

import csv
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.upstream import Out, Seen, Upstream, upstream
from tests.machine import ROOT, Daemon, Machine, start_daemon

RECORDINGS = ROOT.parent / "shared" / "recordings"
EXPECTED = Path(__file__).with_name("recorded-usage.csv")
pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="there are no recordings beside the project")


def recordings() -> list[dict[str, Any]]:
    lines = [line for file in sorted(RECORDINGS.glob("*.jsonl")) for line in file.read_text().splitlines()]
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


@pytest.fixture(scope="module")
def replaying(tmp_path_factory: pytest.TempPathFactory, provider: Upstream) -> Iterator[Daemon]:
    both = ("--upstream", f"openai={provider.url}", "--upstream", f"anthropic={provider.url}")
    running = start_daemon(Machine(tmp_path_factory.mktemp("machine")), *both)
    yield running
    running.end()


def replay(provider: Upstream, recording: dict[str, Any], pieces: int) -> None:
    """The provider answers with this recording, a stream in so many pieces."""
    body = recording["body"].encode()
    names = [("request-id", recording["id"]), ("x-request-id", recording["id"])]

    async def script(seen: Seen, out: Out) -> None:
        if recording["stream"]:
            size = max(1, len(body) // pieces)
            await out.stream([body[at : at + size] for at in range(0, len(body), size)], headers=names)
        else:
            await out.whole(body, recording["status"], names)

    provider.script = script


def send(daemon: Daemon, recording: dict[str, Any]) -> Any:
    return daemon.call("POST", recording["path"], recording["request"], auth="key")


def event_of(daemon: Daemon, recording: dict[str, Any]) -> dict[str, Any] | None:
    found = daemon.call("GET", f"/api/cost-events?requestId={recording['id']}", auth="key").json["data"]
    return found[0] if found else None


def test_every_recording_passes_byte_by_byte_and_leaves_one_event(replaying: Daemon, provider: Upstream) -> None:
    for recording in recordings():
        replay(provider, recording, pieces=17)
        reply = send(replaying, recording)
        event = event_of(replaying, recording)
        assert reply.status == recording["status"], recording["id"]
        if recording["status"] == 200:
            assert reply.body == recording["body"].encode(), recording["id"]
            assert event, recording["id"]
            assert (event["provider"], event["durationMs"] is not None) == (recording["provider"], True)
        else:
            assert event is None, recording["id"]
            shape = {"type", "error"} if recording["provider"] == "anthropic" else {"error"}
            assert set(reply.json) == shape, recording["id"]
            assert reply.json["error"]["message"], recording["id"]


def test_what_they_used_is_what_was_typed_from_the_recordings(replaying: Daemon, provider: Upstream) -> None:
    expected = {row["id"]: row for row in csv.DictReader(EXPECTED.read_text().splitlines())}
    assert len(expected) >= 40
    seen = 0
    for recording in recordings():
        row = expected.get(recording["id"])
        if row is None or recording["status"] != 200:
            continue
        seen += 1
        event = event_of(replaying, recording)
        if event is None:
            replay(provider, recording, pieces=5)
            send(replaying, recording)
            event = event_of(replaying, recording)
        assert event, recording["id"]
        tokens = ("inputTokens", "cachedInputTokens", "outputTokens", "reasoningTokens")
        assert [event[name] for name in tokens] == [
            int(row[name]) for name in ("input", "cached", "output", "reasoning")
        ], recording["id"]
        assert (event["stopReason"] or "") == row["stop_reason"], recording["id"]
        assert event["costMicrodollars"] == int(row["microdollars"]), recording["id"]
        assert len(tool_calls(replaying, recording["id"])) == int(row["tool_calls"]), recording["id"]
    assert seen == len(expected)


def tool_calls(daemon: Daemon, request_id: str) -> list[Any]:
    """The tool calls that the webhook event of a recorded call names."""
    with sqlite3.connect(f"file:{daemon.data}/nullspend.db?mode=ro", uri=True) as database:
        rows = database.execute("SELECT object FROM outbox WHERE type = 'cost_event.created'").fetchall()
    found = [json.loads(row[0]) for row in rows]
    return next(each["tool_calls_requested"] or [] for each in found if each["request_id"] == request_id)
