import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import StartDaemon
from tests.fakes.server import FakeServer, fake_server
from tests.machine import Machine

KEYS = {"data": [], "cursor": None}


@pytest.fixture
def prod(machine: Machine, server: FakeServer) -> Machine:
    """A machine with one context, `prod`, that is not the active one."""
    server.answer("GET", "/api/keys", KEYS)
    server.answer("GET", "/api/policy", {"budget": None})
    server.knows_everybody()
    made = machine.run(
        "contexts",
        "create",
        "prod",
        "--url",
        server.url,
        "--with-key",
        "--with-session",
        input="the-key\nthe=session\n",
    )
    assert made.code == 0, made.err
    server.asked.clear()
    return machine


def test_a_context_is_created_shown_used_and_forgotten(prod: Machine, server: FakeServer) -> None:
    listed = prod.run("contexts", "list")
    assert listed.out == (
        "   NAME   SERVER"
        + " " * (len(server.url) - 4)
        + "KEY   SESSION  ORGANIZATION\n"
        + "*  local\n"
        + f"   prod   {server.url}  kept  kept\n"
    )
    assert prod.run("contexts", "use", "prod").code == 0
    assert prod.run("contexts", "get", "prod", "--json").json["active"] is True
    assert prod.run("contexts", "remove", "prod", "--yes").err == "Forgot prod.\n"
    assert prod.run("contexts", "get", "prod").code == 5
    assert "the-key" not in (prod.config / "credentials.json").read_text()


def test_credentials_that_no_keyring_keeps_are_said_to_be_in_a_file(machine: Machine, server: FakeServer) -> None:
    server.knows_everybody()
    made = machine.run("contexts", "create", "prod", "--url", server.url, "--with-key", input="k\n")
    assert "The API key is kept in a file only you can read." in made.err


@pytest.mark.parametrize("name", ["local", "environment", "a b", "-x", "", "x" * 65, "a/b"])
def test_some_names_cannot_be_given(machine: Machine, name: str) -> None:
    result = machine.run("contexts", "create", "--url", "https://x.example", "--", name)
    assert result.code == 2
    assert "A context cannot be called" in result.err or "Missing argument" in result.err


def test_a_name_is_taken_once_unless_replaced(prod: Machine) -> None:
    again = prod.run("contexts", "create", "prod", "--url", "https://other.example")
    assert (again.code, again.err) == (
        1,
        "error: There is a context 'prod' already.\nnext: Add --replace to change it.\n",
    )
    assert prod.run("contexts", "create", "prod", "--url", "https://other.example", "--replace").code == 0


def test_the_flag_wins_over_the_environment_the_project_file_and_the_active_context(
    prod: Machine, server: FakeServer
) -> None:
    with fake_server() as second, fake_server() as third:
        for name, fake in (("second", second), ("third", third)):
            fake.answer("GET", "/api/policy", {"budget": None})
            fake.knows_everybody()
            prod.run("contexts", "create", name, "--url", fake.url, "--with-key", input="k\n")
            fake.asked.clear()
        prod.run("contexts", "use", "third")
        (prod.home / ".nullspend.toml").write_text('context = "second"\n')
        deep = prod.home / "a" / "b"
        deep.mkdir(parents=True)

        def chosen(*arguments: str, **env: str) -> str:
            assert prod.run("policy", "get", *arguments, env=env, cwd=deep).code == 0
            return next(fake.url for fake in (server, second, third) if fake.asked and not fake.asked.clear())

        assert chosen() == second.url
        assert chosen(NULLSPEND_CONTEXT="third") == third.url
        assert chosen("--context", "prod", NULLSPEND_CONTEXT="third") == server.url
        assert chosen(NULLSPEND_BASE_URL=server.url, NULLSPEND_API_KEY="k") == server.url
        (prod.home / ".nullspend.toml").unlink()
        assert chosen() == third.url


def test_the_key_of_the_environment_goes_to_the_server_of_the_environment_only(
    prod: Machine, server: FakeServer
) -> None:
    with fake_server() as other:
        env = {"NULLSPEND_API_KEY": "other-key", "NULLSPEND_SESSION": "other=1", "NULLSPEND_BASE_URL": other.url}
        for command in (("policy", "get"), ("keys", "list")):
            assert prod.run(*command, "-c", "prod", env=env).code == 0
            assert prod.run(*command, "-c", "prod", env={"NULLSPEND_API_KEY": "other-key"}).code == 0
        assert other.asked == []
    sent = [value for asked in server.asked for value in asked.headers.values()]
    assert "the-key" in sent and "the=session" in sent
    assert not [value for value in sent if "other" in value]


def test_a_stored_key_is_not_sent_to_another_server_that_takes_the_name(prod: Machine) -> None:
    with fake_server() as other:
        prod.run("contexts", "create", "prod", "--url", other.url, "--replace")
        result = prod.run("policy", "get", "-c", "prod")
        assert (result.code, other.asked) == (4, [])
        assert "next: nullspend auth login --key --context prod\n" in result.err


@pytest.mark.parametrize("content", ['url = "https://evil.example"', 'key = "k"', "context = 5", '[headers]\nx = "y"'])
def test_a_project_file_brings_no_address_and_no_secret(prod: Machine, content: str) -> None:
    path = prod.home / ".nullspend.toml"
    path.write_text(content)
    result = prod.run("policy", "get")
    assert result.code == 1
    assert f"error: {path} has " in result.err
    assert (
        "a project file holds only context, org and [defaults], never an address, a header or a secret." in result.err
    )


def test_an_unknown_context_names_those_there_are_and_where_the_name_came_from(prod: Machine) -> None:
    (prod.home / ".nullspend.toml").write_text('context = "nope"\n')
    assert prod.run("policy", "get").err == (
        f"error: There is no context 'nope' (from {prod.home / '.nullspend.toml'}); there are local, prod.\n"
        "next: nullspend contexts list\n"
    )


def test_an_organization_that_is_no_id_is_a_usage_error(prod: Machine) -> None:
    result = prod.run("keys", "list", "-c", "prod", env={"NULLSPEND_ORG": "acme"})
    assert result.code == 2
    assert "The organization 'acme' (NULLSPEND_ORG or .nullspend.toml) is no id such as ns_org_..." in result.err


def test_the_local_context_cannot_be_removed_and_needs_no_credentials(machine: Machine, start: StartDaemon) -> None:
    assert machine.run("contexts", "delete", "local", "--yes").code == 2
    daemon = start()
    local = machine.run("contexts", "get", "local", "--json").json
    assert (local["url"], local["session"]) == (daemon.url, "the daemon's own")


def test_the_environment_a_daemon_prints_leads_back_to_it_with_its_session(
    machine: Machine, start: StartDaemon
) -> None:
    daemon = start()
    env = machine.run("daemon", "env", "--format", "json").json
    status = machine.run("auth", "status", "--json", env=env).json
    assert (status["server"], status["role"], status["chosenBy"]) == (daemon.url, "owner", "NULLSPEND_BASE_URL")


def test_local_commands_refuse_another_server(prod: Machine, server: FakeServer) -> None:
    result = prod.run("users", "list", "-c", "prod")
    assert (result.code, server.asked) == (1, [])
    assert result.err == (
        f"error: Only a local daemon can do this; the context 'prod' is {server.url}.\n"
        "next: Add --context local, or see nullspend contexts list.\n"
    )


def test_a_damaged_context_says_what_to_mend(machine: Machine) -> None:
    machine.config.mkdir()
    (machine.config / "config.toml").write_text("[contexts.x]\nurl = 5\n")
    result = machine.run("contexts", "list")
    assert result.code == 1
    assert "has a context 'x' without a url" in result.err


def test_a_working_directory_that_is_gone_does_not_matter(prod: Machine, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd {gone} && rmdir {gone} && exec {sys.executable} -m nullspend_cli config list"
    done = subprocess.run(["sh", "-c", script], env=prod.env, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0)
