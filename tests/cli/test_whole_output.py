"""What a person sees, whole: in a pipe, as JSON, csv and ids, without colour, with nothing there, with nobody there."""

import json
import platform
from collections.abc import Iterator

import keyring
import pytest
from keyring.backends.fail import Keyring

from nullspend_cli import transport
from tests.cli.inside import Inside, inside
from tests.cli.steady import ISO, TIME, UUID, steady
from tests.conftest import StartDaemon
from tests.machine import Machine


@pytest.fixture
def run(machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Inside]:
    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    yield inside(machine, monkeypatch, capsys)
    keyring.set_keyring(before)
    transport.close()


def test_users(run: Inside, start: StartDaemon) -> None:
    start()
    assert run("users", "create", "Ada@Example.com", "--name", "Ada").err == (
        "Added ada@example.com. Act as them with --as ada@example.com.\n"
    )
    assert steady(run("users", "list").out) == (
        "EMAIL                  NAME   CREATED            ID\n"
        f"owner@nullspend.local  Owner  {TIME}  ns_usr_{UUID}\n"
        f"ada@example.com        Ada    {TIME}  ns_usr_{UUID}\n"
    )
    assert steady(run("users", "list", "--format", "csv").out) == (
        "email,name,createdAt,userId\n"
        f"owner@nullspend.local,Owner,{ISO},ns_usr_{UUID}\n"
        f"ada@example.com,Ada,{ISO},ns_usr_{UUID}\n"
    )
    assert steady(run("users", "list", "-q").out) == f"ns_usr_{UUID}\n" * 2
    assert [user["email"] for user in json.loads(run("users", "list", "--json").out)] == [
        "owner@nullspend.local",
        "ada@example.com",
    ]
    again = run("users", "create", "ada@example.com")
    assert (again.code, again.out) == (1, "")


def test_auth_status(run: Inside, start: StartDaemon) -> None:
    url = start().url
    assert steady(run("auth", "status").out) == (
        "context       local\n"
        f"server        {url}\n"
        "chosen by     default\n"
        "user          owner@nullspend.local\n"
        f"user id       ns_usr_{UUID}\n"
        "role          owner\n"
        f"organization  ns_org_{UUID}\n"
        "key           default\n"
        f"key id        ns_key_{UUID}\n"
        "session       valid\n"
        "api key       valid\n"
    )
    assert steady(run("auth", "whoami", "-q").out) == f"ns_usr_{UUID}\n"
    assert run("auth", "status", "--format", "csv", "--fields", "email,role").out == (
        "email,role\nowner@nullspend.local,owner\n"
    )


def test_the_clock(run: Inside, start: StartDaemon) -> None:
    start("--test-clock")
    before = json.loads(run("clock", "get", "--json").out)["now"]
    moved = run("clock", "advance", "1d")
    assert (moved.code, moved.out) == (0, "")
    after = json.loads(run("clock", "get", "--json").out)["now"]
    assert before[:10] < after[:10]
    assert run("clock", "set", "2000-01-01").code == 1


def test_config(run: Inside, machine: Machine) -> None:
    listed = run("config", "list")
    assert listed.out == (
        "NAME    VALUE  SET BY   MEANING\n"
        "color   auto   default  When to use colour: auto, always or never.\n"
        "format  table  default  How to print: table, json, jsonl, csv or ids.\n"
        "limit   50     default  How many rows a list shows; 0 shows all.\n"
        "pager   auto   default  Pager for long output: a command, auto or off.\n"
    )
    assert listed.err == f"From {machine.config / 'config.toml'}.\n"
    assert run("config", "set", "limit", "20").err == "limit is now 20.\n"
    assert run("config", "get", "limit", "--format", "csv").out == (
        "name,value,setBy,help\nlimit,20,config.toml,How many rows a list shows; 0 shows all.\n"
    )
    assert run("config", "list", "-q").out == "color\nformat\nlimit\npager\n"
    assert run("config", "unset", "limit").err == "limit is 50 again.\n"
    wrong = run("config", "set", "limit", "many")
    assert (wrong.code, wrong.err) == (2, "error: limit is a whole number of rows, 0 for all, not 'many'.\n")


def test_quickstart_makes_what_is_missing_and_finds_it_again(run: Inside, start: StartDaemon) -> None:
    url = start().url
    first, second = (json.loads(run("quickstart", "--json").out) for _ in range(2))
    assert (first["daemon"], first["environment"]["NULLSPEND_BASE_URL"]) == (url, url)
    assert (first["key"]["name"], first["budget"]["maxBudgetMicrodollars"]) == ("quickstart", 5_000_000)
    for made in ("key", "budget"):
        assert first[made]["id"] == second[made]["id"]
    shown = run("quickstart")
    assert shown.code == 0
    assert f"export NULLSPEND_BASE_URL={url}\n" in shown.out
    assert "\nnext:\n" in shown.err
    assert "\x1b" not in shown.out + shown.err


def test_version(run: Inside, start: StartDaemon) -> None:
    without = run("version")
    assert without.out == f"nullspend  0.1.0\napi        2026-04-01\npython     {platform.python_version()}\n"
    start()
    assert run("version").out.endswith("daemon     0.1.0\n")
    assert json.loads(run("version", "--json").out)["daemon"] == "0.1.0"


def test_help_and_completions_need_nobody(run: Inside) -> None:
    for topic in ("exit-codes", "environment", "output", "contexts", "money"):
        shown = run("help", topic)
        assert (shown.code, shown.err) == (0, "")
        assert max(map(len, shown.out.splitlines())) <= 80
    assert run("help", "budgets", "set").out == run("budgets", "set", "--help").out
    assert "Money" in run("--help").out
    for shell in ("bash", "zsh", "fish", "powershell"):
        assert run("completion", shell).code == 0
    unknown = run("help", "nonsense")
    assert (unknown.code, unknown.out) == (2, "")
    assert unknown.err.startswith("error: There is no help on 'nonsense'; topics are ")


@pytest.mark.parametrize(
    "command",
    [
        ("keys", "list"),
        ("keys", "create", "x"),
        ("budgets", "list"),
        ("events", "list"),
        ("events", "report", "--provider", "p", "--model", "m", "--cost", "1c"),
        ("policy", "get"),
        ("users", "list"),
        ("clock", "get"),
        ("auth", "status"),
        ("daemon", "status"),
        ("daemon", "env"),
        ("daemon", "backup"),
        ("daemon", "check"),
        ("orgs", "list"),
        ("audit", "list"),
        ("api", "keys"),
        ("open",),
    ],
    ids=" ".join,
)
def test_with_the_daemon_stopped_each_command_says_how_to_start_it(
    run: Inside, machine: Machine, command: tuple[str, ...]
) -> None:
    refused = run(*command)
    assert (refused.code, refused.out) == (7, "")
    assert refused.err == f"error: No daemon is running on {machine.data}.\nnext: nullspend daemon start\n"
    as_json = run(*command, "--json") if command[0] not in ("api", "open") and command[1] != "env" else None
    if as_json:
        assert json.loads(as_json.err)["error"]["code"] == "unreachable"


@pytest.mark.parametrize("noun", ["budgets", "events", "invites", "customers", "tools"])
def test_an_empty_list_says_so_and_what_to_run(run: Inside, start: StartDaemon, noun: str) -> None:
    start()
    empty = run(noun, "list")
    assert (empty.code, empty.out) == (0, "")
    assert empty.err.startswith("There are no ") or empty.err.startswith("No ")
    assert "\nnext: nullspend " in empty.err
    assert json.loads(run(noun, "list", "--json").out) == []
    assert run(noun, "list", "-q").out == ""
