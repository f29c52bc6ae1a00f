import json
from collections.abc import Iterator

import pytest

from tests.cli.steady import ISO, PREFIX, RAW_KEY, TIME, UUID, steady
from tests.conftest import StartDaemon
from tests.machine import Daemon


@pytest.fixture
def fresh(start: StartDaemon) -> Iterator[Daemon]:
    """A daemon of this test's own, with the key `default` and nothing else."""
    yield start()


def test_keys_are_listed_newest_first_by_name(fresh: Daemon) -> None:
    fresh.run("keys", "create", "researcher", "--tag", "team=core", "--allow-provider", "openai")
    listed = fresh.run("keys", "list")
    assert (listed.code, listed.err) == (0, "")
    assert steady(listed.out) == (
        "NAME        PREFIX               TAGS       PROVIDERS  MODELS  LAST USED  CREATED            ID\n"
        f"researcher  {PREFIX}  team=core  openai     any     never      {TIME}  ns_key_{UUID}\n"
        f"default     {PREFIX}             any        any     never      {TIME}  ns_key_{UUID}\n"
    )


def test_creating_a_key_shows_its_value_once_and_says_so(fresh: Daemon) -> None:
    made = fresh.run("keys", "create", "researcher", "--tag", "team=core")
    assert steady(made.out) == (
        f"key        {RAW_KEY}\n"
        f"id         ns_key_{UUID}\n"
        "name       researcher\n"
        f"prefix     {PREFIX}\n"
        "tags       team=core\n"
        "providers  any\n"
        "models     any\n"
        "last used  never\n"
        f"created    {TIME}\n"
    )
    assert made.err == "This is the only time the key is shown; --save would have kept it.\n"
    assert "key  " not in fresh.run("keys", "get", "researcher").out.splitlines()[0]


def test_as_json_a_key_is_the_servers_record_and_nothing_else_is_said(fresh: Daemon) -> None:
    made = fresh.run("keys", "create", "ci", "--allow-model", "gpt-4o", "--allow-model", "o3", "--json")
    assert made.err == ""
    assert json.loads(steady(made.out)) == {
        "id": f"ns_key_{UUID}",
        "name": "ci",
        "keyPrefix": PREFIX,
        "defaultTags": {},
        "allowedModels": ["gpt-4o", "o3"],
        "allowedProviders": None,
        "rawKey": RAW_KEY,
        "createdAt": ISO,
    }


def test_every_format_of_a_list(fresh: Daemon) -> None:
    assert steady(fresh.run("keys", "list", "--format", "csv").out) == (
        "name,keyPrefix,defaultTags,allowedProviders,allowedModels,lastUsedAt,createdAt,id\n"
        f"default,{PREFIX},{{}},,,,{ISO},ns_key_{UUID}\n"
    )
    assert steady(fresh.run("keys", "list", "-q").out) == f"ns_key_{UUID}\n"
    assert steady(fresh.run("keys", "ls", "--format", "ids").out) == f"ns_key_{UUID}\n"
    (record,) = fresh.run("keys", "list", "--json").json
    assert json.loads(fresh.run("keys", "list", "--format", "jsonl").out) == record
    assert fresh.run("keys", "list", "--json", "--fields", "name,createdAt").json == [
        {"name": "default", "createdAt": record["createdAt"]}
    ]
    assert fresh.run("keys", "list", "--fields", "name,id").out == f"NAME     ID\ndefault  {record['id']}\n"
    assert fresh.run("keys", "list", "--jq", ".[].name").out == "default\n"
    assert fresh.run("keys", "get", "default", "--format", "csv", "--fields", "name").out == "name\ndefault\n"


def test_a_field_that_is_none_names_those_there_are(fresh: Daemon) -> None:
    wrong = fresh.run("keys", "list", "--fields", "nme")
    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err == (
        "error: There is no field 'nme'; there are id, name, keyPrefix, defaultTags, allowedModels, "
        "allowedProviders, lastUsedAt, createdAt.\n"
    )


def test_formats_that_exclude_each_other_are_refused(fresh: Daemon) -> None:
    assert fresh.run("keys", "list", "--json", "-q").err == (
        "error: The output cannot be ids and json at the same time.\n"
    )
    wrong = fresh.run("keys", "list", "--format", "xml")
    assert (wrong.code, wrong.err) == (
        2,
        "error: Invalid value for '--format': 'xml' is not one of table, json, jsonl, csv, ids\n"
        "next: nullspend keys list --help\n",
    )


def test_a_key_is_changed_only_in_what_is_given(fresh: Daemon) -> None:
    fresh.run("keys", "create", "ci", "--tag", "team=core", "--allow-provider", "openai")
    renamed = fresh.run("keys", "update", "ci", "--name", "pipeline", "--json").json
    assert (renamed["name"], renamed["defaultTags"], renamed["allowedProviders"]) == (
        "pipeline",
        {"team": "core"},
        ["openai"],
    )
    cleared = fresh.run(
        "keys", "update", "pipeline", "--no-tags", "--any-provider", "--allow-model", "o3", "--json"
    ).json
    assert (cleared["defaultTags"], cleared["allowedProviders"], cleared["allowedModels"]) == ({}, None, ["o3"])
    nothing = fresh.run("keys", "update", "pipeline")
    assert (nothing.code, nothing.err) == (
        2,
        "error: There is nothing to change.\nnext: nullspend keys update --help\n",
    )


def test_revoking_asks_and_without_a_terminal_needs_yes(fresh: Daemon) -> None:
    fresh.run("keys", "create", "ci")
    unasked = fresh.run("keys", "delete", "ci")
    assert unasked.code == 2
    assert steady(unasked.err) == (
        f"error: This needs a yes: Revoke the key ci ({PREFIX}...)?\nnext: Add --yes to say it on the command line.\n"
    )
    assert fresh.run("keys", "revoke", "ci", "--yes").err == "Revoked the key ci.\n"
    gone = fresh.run("keys", "get", "ci")
    assert (gone.code, gone.err) == (5, "error: There is no active key 'ci'.\nnext: nullspend keys list\n")


def test_a_name_that_several_keys_have_lists_them(fresh: Daemon) -> None:
    for _ in range(2):
        fresh.run("keys", "create", "twin")
    result = fresh.run("keys", "get", "twin")
    assert result.code == 2
    assert steady(result.err) == (
        "error: Several keys are called 'twin':\n"
        f"  ns_key_{UUID}  {PREFIX}  created {TIME}\n"
        f"  ns_key_{UUID}  {PREFIX}  created {TIME}\n"
        "next: Give the id instead of the name.\n"
    )
    one = fresh.run("keys", "list", "-q").out.splitlines()[0]
    assert fresh.run("keys", "get", one, "--json").json["name"] == "twin"


@pytest.mark.parametrize("key", ["ns_key_", "ns_key_123", "ns_key_zzzz"])
def test_half_an_id_is_said_to_be_half_an_id(daemon: Daemon, key: str) -> None:
    result = daemon.run("keys", "get", key)
    assert (result.code, result.err) == (
        2,
        f"error: {key!r} is not a whole id: ns_key_ and a UUID of 36 characters belong together.\n",
    )


@pytest.mark.parametrize("name", ["", "   ", "x" * 51])
def test_a_name_the_server_refuses_is_a_sentence_with_the_field(daemon: Daemon, name: str) -> None:
    result = daemon.run("keys", "create", name)
    assert (result.code, result.out) == (1, "")
    assert "\n  name: " in result.err
    assert result.err.endswith("next: Correct the named fields.\n")


@pytest.mark.parametrize("tag", ["team", "=x", "team="])
def test_a_tag_without_key_or_value_is_a_usage_error(daemon: Daemon, tag: str) -> None:
    result = daemon.run("keys", "create", "ci", "--tag", tag)
    assert result.code == 2
    assert f"{tag!r} is not a tag; write key=value" in result.err


def test_a_saved_key_can_be_used_by_name(fresh: Daemon) -> None:
    made = fresh.run("keys", "create", "agent", "--save")
    assert "Saved as agent in a file only you can read." in made.err
    assert f"No keyring keeps secrets here, so it is {fresh.machine.config / 'credentials.json'}." in made.err
    raw = made.out.split()[1]
    assert f"export NULLSPEND_API_KEY={raw}\n" in fresh.run("daemon", "env", "--key", "agent").out
    fresh.run("events", "report", "--key", "agent", "--provider", "p", "--model", "m", "--cost", "1c")
    assert fresh.run("events", "list", "--json").json[0]["keyName"] == "agent"
    fresh.run("keys", "delete", "agent", "--yes")
    gone = fresh.run("daemon", "env", "--key", "agent")
    assert (gone.code, gone.out) == (4, "")
    assert "next: nullspend keys create agent --save\n" in gone.err


def test_as_another_user_only_their_keys_are_seen(fresh: Daemon) -> None:
    fresh.run("users", "create", "ada@example.com", "--name", "Ada")
    assert fresh.run("keys", "list", "--as", "ada@example.com", "--json").json == []
    fresh.run("keys", "create", "hers", "--as", "ada@example.com")
    assert fresh.run("keys", "list", "--as", "ada@example.com", "--jq", ".[].name").out == "hers\n"
    nobody = fresh.run("keys", "list", "--as", "nobody@example.com")
    assert (nobody.code, nobody.err) == (
        5,
        "error: This daemon knows nobody as nobody@example.com.\nnext: nullspend users list\n",
    )
