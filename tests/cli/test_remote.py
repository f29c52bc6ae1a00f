"""A second daemon as the remote server, behind TLS with a private authority, and gateways that fail in every way."""

import json
import socket
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.gateway import MISSING, NGINX, OPENSSL, Authority, Gateway, free_port
from tests.fakes.server import FakeServer, fake_server
from tests.machine import Daemon, Machine, Result, start_daemon

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not NGINX or not OPENSSL, reason=MISSING)]


@dataclass
class Far:
    """The remote server and the ways to it that do not work. `second` is the host nothing must reach."""

    daemon: Daemon
    ca: Path
    url: str
    stranger: str
    misnamed: str
    expired: str
    redirecting: str
    redirecting_home: str
    broken: str
    slow: str
    second: FakeServer


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    folder = tmp_path_factory.mktemp("gateway")
    daemon = start_daemon(Machine(tmp_path_factory.mktemp("remote")))
    ours, theirs = Authority(folder, "ours"), Authority(folder, "theirs")
    good = ours.certify("good", "localhost")
    gateway = Gateway(folder)
    # Connections are taken, and then nobody says anything.
    with fake_server() as second, socket.create_server(("127.0.0.1", 0)) as silent:
        found = Far(
            daemon,
            ours.file,
            url=gateway.to(good, daemon.url),
            stranger=gateway.to(theirs.certify("stranger", "localhost"), daemon.url),
            misnamed=gateway.to(ours.certify("misnamed", "elsewhere.example"), daemon.url),
            expired=gateway.to(ours.certify("expired", "localhost", days=-1), daemon.url),
            redirecting=gateway.add(good, f"return 307 {second.url}$request_uri;"),
            redirecting_home=gateway.add(good, "return 302 /login;"),
            broken=gateway.to(good, f"http://127.0.0.1:{free_port()}"),
            slow=gateway.to(good, f"http://127.0.0.1:{silent.getsockname()[1]}"),
            second=second,
        )
        with gateway.running():
            yield found
    daemon.end()


@pytest.fixture
def here(machine: Machine, far: Far) -> Machine:
    """A machine that is signed in to the remote server with the owner's key and session."""
    signed_in = sign_in(machine, far.url, far)
    assert signed_in.code == 0, signed_in.err
    return machine


def sign_in(machine: Machine, url: str, far: Far, *more: str, **env: str) -> Result:
    owner = far.daemon.state["owner"]
    secrets = f"{owner['apiKey']}\n{owner['cookie']}\n"
    ca = () if env else ("--ca-file", str(far.ca))
    return machine.run("auth", "login", "--server", url, "-c", "far", *ca, *more, input=secrets, env=env)


def test_a_private_authority_is_named_once_and_every_command_works_through_it(here: Machine, far: Far) -> None:
    status = here.run("auth", "status", "--check", "--json").json
    assert (status["server"], status["role"], status["session"], status["apiKey"]) == (
        far.url,
        "owner",
        "valid",
        "valid",
    )
    made = here.run("keys", "create", "agent", "--json").json
    assert here.run("keys", "list", "--json").json[0]["name"] == "agent"
    assert here.run("budgets", "set", "--key", "agent", "--max", "$5").code == 0
    assert "agent" in here.run("budgets", "list").out
    assert here.run("events", "report", "--provider", "p", "--model", "m", "--cost", "1c").code == 0
    assert here.run("events", "list", "--json").json[0]["costMicrodollars"] == 10_000
    assert here.run("api", "budgets/status", "--jq", ".entities").out == "[]\n"
    assert here.run("api", "PATCH", f"keys/{made['id']}", "-f", "name=renamed", "--jq", ".data.name").out == "renamed\n"
    assert here.run("keys", "delete", "renamed", "--yes").code == 0
    shown = here.run("contexts", "get", "far", "--json").json
    assert (shown["caFile"], shown["session"]) == (str(far.ca), "kept")
    assert stat.S_IMODE((here.config / "credentials.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("variable", ["NULLSPEND_CA_FILE", "SSL_CERT_FILE"])
def test_the_authority_can_come_from_the_environment(machine: Machine, far: Far, variable: str) -> None:
    assert sign_in(machine, far.url, far, **{variable: str(far.ca)}).code == 0
    assert machine.run("keys", "list", env={variable: str(far.ca)}).code == 0
    without = machine.run("keys", "list")
    assert without.code == 7
    assert without.err.startswith(f"error: No server answers at {far.url}: its certificate is not trusted (")
    assert without.err.count("\n") == 2


@pytest.mark.parametrize(
    ("way", "why"),
    [
        ("stranger", "its certificate is not trusted ("),
        ("misnamed", "its certificate is not trusted (Hostname mismatch"),
        ("expired", "its certificate is not trusted (certificate has expired)"),
    ],
)
def test_a_wrong_certificate_is_one_sentence_and_nothing_is_sent(
    machine: Machine, far: Far, way: str, why: str
) -> None:
    refused = sign_in(machine, getattr(far, way), far)
    assert (refused.code, refused.out) == (7, "")
    assert why in refused.err
    assert refused.err.count("\n") == 2
    assert not (machine.config / "credentials.json").exists()


@pytest.mark.parametrize(
    ("content", "why"), [(None, "cannot be read"), ("no certificate at all", "holds no certificate")]
)
def test_a_bad_ca_file_is_a_usage_error(machine: Machine, far: Far, content: str | None, why: str) -> None:
    file = machine.home / "ca.pem"
    if content:
        file.write_text(content)
    refused = machine.run("keys", "list", env=moved_to(far, far.stranger) | {"NULLSPEND_CA_FILE": str(file)})
    assert (refused.code, refused.err) == (
        2,
        f"error: The CA file {file} {why}.\nnext: Name a PEM file with NULLSPEND_CA_FILE or --ca-file.\n",
    )


def moved_to(far: Far, url: str) -> dict[str, str]:
    """The environment in which the same credentials are meant for another address."""
    owner = far.daemon.state["owner"]
    return {
        "NULLSPEND_BASE_URL": url,
        "NULLSPEND_API_KEY": owner["apiKey"],
        "NULLSPEND_SESSION": owner["cookie"],
        "NULLSPEND_CA_FILE": str(far.ca),
        "NULLSPEND_TIMEOUT": "1",
    }


COMMANDS = (("keys", "list"), ("policy", "get"), ("events", "list"), ("api", "keys"), ("auth", "status"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_redirect_is_not_followed_and_the_other_host_sees_nothing(
    machine: Machine, far: Far, command: tuple[str, ...]
) -> None:
    for url in (far.redirecting, far.redirecting_home):
        refused = machine.run(*command, env=moved_to(far, url))
        assert (refused.code, refused.out) == (7, "")
        assert refused.err.startswith(f"error: {url} answers with a redirect to ")
        assert "which is not followed: credentials stay with their own server." in refused.err
    assert far.second.asked == []


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_gateway_without_its_server_is_one_sentence(machine: Machine, far: Far, command: tuple[str, ...]) -> None:
    refused = machine.run(*command, env=moved_to(far, far.broken))
    assert (refused.code, refused.out) == (7, "")
    assert refused.err == (
        f"error: No NullSpend server answers behind {far.broken}: its gateway says 502.\nnext: nullspend doctor\n"
    )


@pytest.mark.parametrize("command", [("keys", "create", "x"), ("api", "keys")], ids=" ".join)
def test_a_server_that_says_nothing_is_given_up(machine: Machine, far: Far, command: tuple[str, ...]) -> None:
    refused = machine.run(*command, env=moved_to(far, far.slow))
    assert (refused.code, refused.out) == (7, "")
    assert refused.err == f"error: No server answers at {far.slow}: it took too long.\nnext: nullspend doctor\n"


def test_a_time_that_is_none_is_a_usage_error(machine: Machine, far: Far) -> None:
    refused = machine.run("keys", "list", env=moved_to(far, far.url) | {"NULLSPEND_TIMEOUT": "soon"})
    assert (refused.code, refused.err) == (
        2,
        "error: NULLSPEND_TIMEOUT is 'soon'; it is a number of seconds such as 30.\n",
    )


def test_a_stored_credential_does_not_follow_a_context_to_another_address(here: Machine, far: Far) -> None:
    here.run("contexts", "create", "far", "--url", far.second.url, "--replace")
    for command in COMMANDS[:4]:
        assert here.run(*command, "-c", "far").code == 4
    assert far.second.asked == []


def test_a_session_that_was_ended_on_the_server_has_expired(here: Machine, far: Far) -> None:
    made = far.daemon.call("POST", "/_local/sessions", {"email": "owner@nullspend.local"}, auth="admin").json
    assert here.run("auth", "login", "-c", "far", "--session", input=made["cookie"]).code == 0
    assert here.run("keys", "list").code == 0
    far.daemon.call("DELETE", "/_local/sessions", auth="admin")
    expired = here.run("keys", "list")
    assert (expired.code, expired.err) == (
        4,
        "error: session expired: paste a new cookie with nullspend auth login --session\n",
    )


def test_switching_the_organization_lasts_for_the_context(here: Machine, far: Far) -> None:
    org = here.run("api", "POST", "orgs", "-f", "name=Acme", "-f", "slug=acme").json["data"]["id"]
    switched = here.run("api", "POST", "auth/switch-org", "-f", f"orgId={org}")
    assert switched.code == 0, switched.err
    assert here.run("auth", "status", "--json").json["orgId"] == org
    sign_in(here, far.url, far, "--no-use")
    assert here.run("auth", "status", "--json").json["orgId"] != org


def report(machine: Machine, count: int, first: int = 1) -> None:
    lines = [
        {
            "provider": "openai",
            "model": "gpt-4o",
            "inputTokens": 10,
            "outputTokens": 5,
            "costMicrodollars": cost,
            "sessionId": "night",
            "tags": {"team": "core"},
            "customer": "acme",
            "costBreakdown": {"input": 1, "output": cost - 1, "cached": 0},
        }
        for cost in range(first, first + count)
    ]
    done = machine.run("events", "report", "-", "-c", "local", input="\n".join(map(json.dumps, lines)))
    assert done.code == 0, done.err


def costs(daemon: Daemon) -> list[int]:
    """The costs of everything one daemon has stored, oldest first, as its database holds them."""
    with sqlite3.connect(f"file:{daemon.data / 'nullspend.db'}?mode=ro", uri=True) as database:
        return [row[0] for row in database.execute("SELECT cost_microdollars FROM cost_events ORDER BY rowid")]


def test_push_sends_everything_once_through_tls_and_a_second_push_nothing(here: Machine, far: Far) -> None:
    mine = start_daemon(here)
    try:
        report(here, 250)
        before = len(costs(far.daemon))
        assert here.run("push", "--dry-run").err == "Would push 250 events, $0.031375.\n"
        first = here.run("push", "--to", "far")
        assert (first.code, first.out) == (0, ""), first.err
        assert first.err == (
            f"Pushed events carry the time {far.url} receives them at, and are charged to its budgets. "
            "This is said once for far.\n250 events stored.\n"
        )
        assert costs(far.daemon)[before:] == list(range(1, 251))
        again = here.run("push", "--to", "far", "--json")
        assert (again.json, again.err) == ({"stored": 0, "duplicates": 0, "refused": []}, "")
        report(here, 3, first=900)
        assert here.run("push", "--to", "far").err == "3 events stored.\n"
        assert costs(far.daemon)[before + 250 :] == [900, 901, 902]
        newest = here.run("events", "list", "-c", "far", "--limit", "1", "--json").json[0]
        assert (newest["sessionId"], newest["tags"], newest["customerId"]) == ("night", {"team": "core"}, "acme")
        assert newest["costBreakdown"] == {"input": 1, "output": 901, "cached": 0}
        (mine.data / "pushed.json").unlink()
        assert here.run("push", "--to", "far").err.endswith("0 events stored, 253 known already.\n")
        assert len(costs(far.daemon)) == before + 253
        nowhere = here.run("push", "--to", "local")
        assert (nowhere.code, "say which with --to CONTEXT" in nowhere.err) == (2, True)
    finally:
        mine.end()


# What each noun reads from a server, as it is typed.
READS = """
actions list
audit list
auth status
billing get
budgets list
budgets status
budgets velocity
costs by key
costs by model
costs by tag team
costs daily
costs summary
costs tags
customers list
doctor
events export
events list
invites list
keys get default
keys list
margins list
margins unmatched
members list
orgs get team-far
orgs list
policy get
sessions get s1
sessions list
slack get
tools list
top
version
webhooks list
"""


@pytest.fixture(scope="module")
def team_there(far: Far) -> str:
    """A team of the owner's on the remote server, with an event in a session; returns the team's id."""
    event = {"provider": "p", "model": "m", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": 5}
    assert far.daemon.call("POST", "/api/cost-events", {**event, "sessionId": "s1"}, auth="key").status == 201
    return str(far.daemon.call("POST", "/api/orgs", {"name": "Far", "slug": "team-far"}).json["data"]["id"])


@pytest.mark.parametrize("line", READS.strip().splitlines())
def test_every_noun_reads_from_the_remote_server(here: Machine, far: Far, team_there: str, line: str) -> None:
    team = {"NULLSPEND_ORG": team_there} if line.startswith("invites") else {}
    as_json = () if line == "events export" else ("--json",)
    done = here.run(*line.split(), *as_json, env=team)
    assert done.code in ((0, 1) if line == "doctor" else (0,)), done.err
    assert "Traceback" not in done.err
    assert far.second.asked == [], "nothing reached the other host"


def test_every_noun_writes_to_the_remote_server(here: Machine, far: Far) -> None:
    def run(*words: str) -> Result:
        done = here.run(*words)
        assert done.code == 0, (words, done.err)
        return done

    made = run("actions", "create", "--agent", "a", "--type", "http_post", "--payload", "{}", "--json").json["id"]
    run("actions", "approve", made, "--yes")
    run("actions", "result", made, "executing")
    assert run("actions", "get", made, "--json").json["status"] == "executing"
    other = run("actions", "create", "--agent", "a", "--type", "http_post", "--payload", "{}", "--json").json["id"]
    run("actions", "reject", other)
    assert here.run("actions", "wait", other, "--timeout", "1s").code == 6
    hook = run("webhooks", "create", "http://127.0.0.1:9/nobody", "--json").json["id"]
    run("webhooks", "update", hook, "--description", "far")
    assert run("webhooks", "list", "--json").json[0]["description"] == "far"
    run("webhooks", "delete", hook, "--yes")
    run("budgets", "set", "--tag", "team=far", "--max", "$5")
    run("budgets", "reset", "team=far", "--yes")
    run("budgets", "delete", "team=far", "--yes")
    run("orgs", "create", "Crew", "--slug", "crew-far")
    run("orgs", "switch", "crew-far")
    assert run("auth", "status", "--json").json["role"] == "owner"
    run("invites", "create", "x@example.com", "--role", "member")
    run("invites", "delete", "x@example.com", "--yes")
    run("orgs", "update", "crew-far", "--name", "Crew two")
    run("customers", "set", "acme", "--stripe", "cus_1")
    run("customers", "delete", "acme", "--yes")
    assert far.second.asked == [], "nothing reached the other host"
