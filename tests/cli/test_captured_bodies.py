"""`events bodies` on what the proxy really captured, and `events explain` of the same call."""

import json

from tests.conftest import StartDaemon
from tests.machine import Machine

SECRET = "sk-proj-abcdefghijklmnop"


def test_a_captured_call_is_shown_without_its_secrets(machine: Machine, start: StartDaemon) -> None:
    daemon = start("--upstream", "fake", "--capture-bodies")
    body = {
        "model": "fake/small",
        "messages": [{"role": "user", "content": f"my key is {SECRET}"}],
        "fake": {"inputTokens": 1000, "outputTokens": 10000, "text": "done"},
    }
    answered = daemon.call("POST", "/v1/chat/completions", body, auth="key")
    assert answered.status == 200
    (event,) = machine.run("events", "list", "--json").json
    shown = machine.run("events", "bodies", event["id"])
    assert shown.code == 0, shown.err
    assert SECRET not in shown.out
    assert "my key is sk-***" in shown.out
    assert '"content": "done"' in shown.out
    kept = json.loads(machine.run("events", "bodies", event["id"], "--json").out)
    assert kept["responseBody"]["choices"][0]["message"]["content"] == "done"


def test_a_captured_stream_is_shown_as_it_came(machine: Machine, start: StartDaemon) -> None:
    daemon = start("--upstream", "fake", "--capture-bodies")
    body = {"model": "fake/small", "messages": [], "stream": True, "fake": {"text": "one two"}}
    assert daemon.call("POST", "/v1/chat/completions", body, auth="key").status == 200
    (event,) = machine.run("events", "list", "--json").json
    kept = json.loads(machine.run("events", "bodies", event["id"], "--json").out)
    assert kept["responseBody"]["_format"] == "sse"
    assert kept["responseBody"]["text"].endswith("data: [DONE]\n\n")
