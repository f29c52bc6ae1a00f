"""A name made to steer a terminal, a spreadsheet or a parser, through every command: shown, never interpreted."""

import csv
import io
import json
import re
from collections.abc import Iterator

import keyring
import pytest
from keyring.backends.fail import Keyring

from nullspend_cli import transport
from tests.cli.inside import Inside, inside
from tests.machine import Daemon

NAME = "[red]a[/]\x1b[31mb\x9bc\u202ed\ne<i>"
SHOWN = "[red]a[/]\\x1b[31mb\\x9bc\\u202ed\\ne<i>"
FORMULA = "=HYPERLINK(1)"
_STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def run(daemon: Daemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Inside]:
    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    yield inside(daemon.machine, monkeypatch, capsys)
    keyring.set_keyring(before)
    transport.close()


@pytest.fixture(scope="module", autouse=True)
def named(daemon: Daemon) -> str:
    """A key of that name, with a budget, an event for a customer and a tag of such names; returns the event's id."""
    key = daemon.call("POST", "/api/keys", {"name": NAME, "defaultTags": {"t": NAME}}).json
    daemon.call("POST", "/api/keys", {"name": FORMULA})
    for kind, entity in (
        ("api_key", key["data"]["id"]),
        ("customer", f"{NAME}2"),
        ("tag", f"t={NAME.replace(chr(10), '')}"),
    ):
        body = {"entityType": kind, "entityId": entity, "maxBudgetMicrodollars": 5_000_000}
        assert daemon.call("POST", "/api/budgets", body).status == 201, kind
    event = {
        "provider": "[b]p\x1b[2J",
        "model": NAME,
        "inputTokens": 1,
        "outputTokens": 1,
        "costMicrodollars": 5,
        "customer": NAME,
        "toolName": NAME,
        "sessionId": NAME,
        "tags": {"t": NAME},
    }
    raw = key["data"]["rawKey"]
    stored = daemon.call("POST", "/api/cost-events", event, auth=None, headers={"X-NullSpend-Key": raw})
    return str(stored.json["data"]["id"])


COMMANDS = (
    ("keys", "list"),
    ("keys", "get", NAME),
    ("keys", "update", NAME, "--tag", f"t={NAME}"),
    ("budgets", "list"),
    ("budgets", "get", NAME),
    ("budgets", "set", "--key", NAME, "--max", "$6"),
    ("events", "list", "--key", NAME),
    ("events", "list", "--model", NAME),
    ("events", "list", "--customer", NAME),
    ("events", "get", "EVENT"),
    ("events", "report", "--provider", NAME, "--model", NAME, "--cost", "1c", "--customer", NAME),
    ("auth", "status"),
    ("audit", "list"),
    ("api", "keys"),
    ("doctor",),
    ("contexts", "list"),
    ("users", "list"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
def test_no_output_carries_anything_that_steers_a_terminal(run: Inside, named: str, command: tuple[str, ...]) -> None:
    words = [word.replace("EVENT", named) for word in command]
    formats = () if command[0] == "api" else (("--json",), ("--format", "jsonl"), ("--format", "csv"))
    for more in ((), *formats, ("--color", "never")):
        done = run(*words, *more)
        assert done.code == 0, done.err
        assert not _STEERING.search(done.out + done.err), (more, done.out + done.err)


@pytest.mark.parametrize(
    "command",
    [
        ("keys", "get", NAME + "!"),
        ("keys", "delete", NAME),
        ("budgets", "get", NAME + "!"),
        ("budgets", "delete", NAME),
        ("events", "get", NAME),
        ("events", "report", NAME),
        ("contexts", "get", NAME),
        ("contexts", "use", NAME),
        ("contexts", "create", NAME, "--url", "https://x.example"),
        ("contexts", "create", "x", "--url", NAME),
        ("config", "get", NAME),
        ("config", "set", "limit", NAME),
        ("auth", "login", "--server", NAME),
        ("daemon", "env", "--key", NAME),
        ("daemon", "restore", NAME),
        ("completion", NAME),
        ("help", NAME),
        ("open", NAME),
        ("api", NAME),
        ("push", "--to", NAME),
        ("push", "--to", "x", "--since", NAME),
        ("users", "create", NAME),
        ("clock", "advance", NAME),
        ("keys", "list", "--as", NAME),
        ("keys", "list", "--format", NAME),
        ("keys", "list", "--fields", NAME),
        ("keys", "list", "-c", NAME),
        (NAME,),
        ("keys", NAME),
        ("keys", "list", f"--{NAME}"),
    ],
    ids=lambda command: " ".join(command[:2])[:20].encode("unicode_escape").decode(),
)
def test_no_sentence_repeats_what_was_typed_as_it_is(run: Inside, command: tuple[str, ...]) -> None:
    refused = run(*command)
    assert refused.code not in (0, 130)
    assert not _STEERING.search(refused.out + refused.err), refused.err
    assert "Traceback" not in refused.err and "Unexpected" not in refused.err


def test_people_see_escapes_and_programs_the_name_itself(run: Inside) -> None:
    assert SHOWN in run("keys", "list").out
    assert SHOWN in run("budgets", "list").out
    assert SHOWN in run("events", "list", "--key", NAME).out
    assert NAME in [key["name"] for key in json.loads(run("keys", "list", "--json").out)]
    assert NAME in [json.loads(line)["name"] for line in run("keys", "list", "--format", "jsonl").out.splitlines()]
    rows = list(csv.DictReader(io.StringIO(run("keys", "list", "--format", "csv").out)))
    assert {SHOWN, f"'{FORMULA}"} <= {row["name"] for row in rows}
    assert run("keys", "list", "--jq", f".[] | select(.name == {json.dumps(NAME)}) | .name").out == f"{SHOWN}\n"


def test_a_table_has_as_many_lines_as_it_has_rows(run: Inside) -> None:
    assert len(run("keys", "list").out.splitlines()) == 1 + 3
    assert len(run("keys", "list", "--format", "csv").out.splitlines()) == 1 + 3
