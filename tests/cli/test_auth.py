"""Signing in to servers: what is asked, tried, kept, and where it goes."""

import json
import stat

import pytest

from tests.conftest import StartDaemon
from tests.fakes.server import FakeServer, Scripted
from tests.machine import Machine

KEY = "ns_live_sk_00000000000000000000000000000001"
COOKIE = "sb-auth=one; ns-active-org=a"
UUID = "019a0000-0000-7000-8000-000000000000"


def refusal(message: str) -> Scripted:
    return Scripted(401, {"error": {"code": "authentication_required", "message": message, "details": None}})


def login(machine: Machine, server: FakeServer, *arguments: str, input: str = f"{KEY}\n{COOKIE}\n") -> None:
    server.knows_everybody()
    done = machine.run("auth", "login", "--server", server.url, "--context", "prod", *arguments, input=input)
    assert done.code == 0, done.err
    server.asked.clear()


def test_a_key_and_a_cookie_header_are_told_apart_tried_and_kept(machine: Machine, server: FakeServer) -> None:
    server.knows_everybody()
    done = machine.run("auth", "login", "--server", server.url, "-c", "prod", input=f"Cookie: {COOKIE}\n\n{KEY}\n")
    assert (done.code, done.out) == (0, "")
    assert done.err == (
        f"Signed in to {server.url} (context prod) as owner of ns_org_{UUID}.\n"
        "The API key is kept in a file only you can read.\n"
        "The Cookie header is kept in a file only you can read.\n"
        f"No keyring keeps it here, so it is {machine.config / 'credentials.json'}.\n"
    )
    introspect, session = server.asked
    assert (introspect.headers["x-nullspend-key"], "cookie" in introspect.headers) == (KEY, False)
    assert (session.headers["cookie"], "x-nullspend-key" in session.headers) == (COOKIE, False)
    assert stat.S_IMODE((machine.config / "credentials.json").stat().st_mode) == 0o600
    assert machine.run("contexts", "get", "prod", "--json").json == {
        "name": "prod",
        "url": server.url,
        "active": True,
        "apiKey": "kept",
        "session": "kept",
        "org": None,
        "caFile": None,
        "insecureHttp": False,
    }


def test_without_a_name_the_context_is_called_like_its_host_and_found_again_by_its_address(
    machine: Machine, server: FakeServer
) -> None:
    server.knows_everybody()
    name = f"127.0.0.1-{server.url.rpartition(':')[2]}"
    first = machine.run("auth", "login", "--server", server.url, "--no-use", "--json", input=KEY).json
    again = machine.run("auth", "login", "--server", f"{server.url}/", "--json", input=COOKIE).json
    assert first["context"] == again["context"] == name
    assert (first["keyId"], again["role"]) == (f"ns_key_{UUID}", "owner")


@pytest.mark.parametrize(
    ("path", "given", "what"),
    [("/api/auth/introspect", KEY, "API key"), ("/api/auth/session", COOKIE, "Cookie header")],
)
def test_what_the_server_refuses_is_not_kept(
    machine: Machine, server: FakeServer, path: str, given: str, what: str
) -> None:
    server.knows_everybody()
    server.answer("GET", path, refusal("Auth session missing!"))
    done = machine.run("auth", "login", "--server", server.url, input=given)
    assert done.code == 4
    assert done.err.startswith(
        f"error: {server.url} does not accept this {what}: Auth session missing!. Nothing was kept.\nnext: "
    )
    assert not (machine.config / "credentials.json").exists()
    assert not (machine.config / "config.toml").exists()


@pytest.mark.parametrize(
    ("input", "sentence"),
    [
        ("", "There is neither an API key nor a Cookie header to sign in with."),
        ("hello", "Standard input holds a line that is neither an API key nor a Cookie header."),
    ],
)
def test_nothing_to_sign_in_with_is_said(machine: Machine, server: FakeServer, input: str, sentence: str) -> None:
    done = machine.run("auth", "login", "--server", server.url, input=input)
    assert (done.code, server.asked) == (2, [])
    assert f"error: {sentence}\n" in done.err


def test_every_set_cookie_is_kept_also_that_of_the_first_try(machine: Machine, server: FakeServer) -> None:
    server.knows_everybody()
    session = {"userId": UUID, "orgId": UUID, "role": "viewer"}
    renewed = (
        ("Set-Cookie", "sb-auth=two; Path=/; HttpOnly"),
        ("Set-Cookie", "ns-active-org=b; Path=/; Max-Age=31536000"),
        ("Set-Cookie", "old=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"),
    )
    server.answer("GET", "/api/auth/session", Scripted(200, session, renewed))
    machine.run("auth", "login", "--server", server.url, "--session", input=f"old=x; {COOKIE}")
    server.answer("GET", "/api/keys", Scripted(200, {"data": []}, (("Set-Cookie", "sb-auth=three"),)))
    machine.run("keys", "list")
    machine.run("keys", "list")
    assert [asked.headers["cookie"] for asked in server.asked] == [
        f"old=x; {COOKIE}",
        "sb-auth=two; ns-active-org=b",
        "sb-auth=three; ns-active-org=b",
    ]


def test_an_organization_from_outside_is_not_kept_but_a_renewed_session_is(
    machine: Machine, server: FakeServer
) -> None:
    login(machine, server)
    cookies = (("Set-Cookie", "ns-active-org=elsewhere"), ("Set-Cookie", "sb-auth=two"))
    server.answer("POST", "/api/auth/switch-org", Scripted(200, {"orgId": UUID}, cookies))
    server.answer("GET", "/api/keys", {"data": []})
    machine.run("keys", "list", env={"NULLSPEND_ORG": f"ns_org_{UUID}"})
    machine.run("keys", "list")
    assert [asked.headers["cookie"] for asked in server.asked] == [
        COOKIE,
        "sb-auth=two; ns-active-org=elsewhere",
        "sb-auth=two; ns-active-org=a",
    ]


def test_an_expired_session_says_how_to_renew_it_and_a_program_sees_the_servers_own_words(
    machine: Machine, server: FakeServer
) -> None:
    login(machine, server)
    server.answer("GET", "/api/keys", refusal("Auth session missing!"))
    expired = machine.run("keys", "list")
    assert (expired.code, expired.err) == (
        4,
        "error: session expired: paste a new cookie with nullspend auth login --session\n",
    )
    named = machine.run("keys", "list", "--context", "prod")
    assert named.err.endswith("next: nullspend auth login --session --context prod\n")
    assert json.loads(machine.run("keys", "list", "--json").err)["error"]["message"] == "Auth session missing!"


@pytest.mark.parametrize(
    ("given", "command", "sentence"),
    [
        (KEY, ("keys", "list"), "This needs a session, and for {url} (context prod) there is only an API key."),
        (COOKIE, ("policy", "get"), "This needs an API key, and for {url} (context prod) there is only a session."),
    ],
)
def test_a_command_that_needs_the_other_credential_says_which_and_how(
    machine: Machine, server: FakeServer, given: str, command: tuple[str, ...], sentence: str
) -> None:
    login(machine, server, input=given)
    done = machine.run(*command)
    kind = "session" if given == KEY else "key"
    assert (done.code, server.asked) == (4, [])
    assert done.err == f"error: {sentence.format(url=server.url)}\nnext: nullspend auth login --{kind}\n"


def test_signing_out_forgets_one_or_both_and_keeps_the_context(machine: Machine, server: FakeServer) -> None:
    login(machine, server)
    assert machine.run("auth", "logout", "--session").err == "Forgot the session of prod.\n"
    assert machine.run("auth", "logout").err == "Forgot the API key of prod.\n"
    assert machine.run("auth", "logout").err == "Nothing was kept for prod.\n"
    assert machine.run("contexts", "get", "prod").code == 0
    assert machine.run("keys", "list").code == 4
    assert server.asked == []


def test_the_local_daemon_needs_no_sign_in(machine: Machine, start: StartDaemon) -> None:
    start()
    for verb in ("login", "logout"):
        done = machine.run("auth", verb, "-c", "local")
        assert done.code == 2
        assert "The local daemon needs no sign-in" in done.err
    assert machine.run("auth", "status", "--check").code == 0


def test_status_with_check_fails_when_one_of_two_is_refused(machine: Machine, server: FakeServer) -> None:
    login(machine, server)
    server.answer("GET", "/api/keys", {"data": []})
    assert machine.run("auth", "status", "--check").code == 0
    server.answer("GET", "/api/auth/introspect", refusal("Invalid or missing API key."))
    assert machine.run("auth", "status").code == 0
    checked = machine.run("auth", "status", "--check", "--json")
    assert (checked.code, checked.json["session"], checked.json["apiKey"]) == (4, "valid", "refused")
    server.answer("GET", "/api/auth/session", refusal("Auth session missing!"))
    assert machine.run("auth", "status").code == 4


def test_two_contexts_on_one_server_have_their_own_credentials(machine: Machine, server: FakeServer) -> None:
    login(machine, server, input="session=mine")
    machine.run("auth", "login", "--server", server.url, "--context", "work", input="session=theirs")
    server.asked.clear()
    server.answer("GET", "/api/keys", {"data": []})
    machine.run("keys", "list", "-c", "prod")
    machine.run("keys", "list", "-c", "work")
    assert [asked.headers["cookie"] for asked in server.asked] == ["session=mine", "session=theirs"]
    assert "Several contexts are" in machine.run("auth", "login", "--server", server.url, input=KEY).err


def test_plain_http_to_another_machine_is_refused_unless_accepted(machine: Machine) -> None:
    far = "http://nullspend.example:4747"
    refused = machine.run("auth", "login", "--server", far, input=KEY)
    assert (refused.code, machine.run("contexts", "create", "far", "--url", far).code) == (2, 2)
    assert refused.err.startswith(f"error: {far} is plain http: your credentials would cross the network unencrypted")
    assert "--insecure-http" in refused.err
    from_environment = machine.run("keys", "list", env={"NULLSPEND_BASE_URL": far, "NULLSPEND_SESSION": "a=1"})
    assert (from_environment.code, "is plain http" in from_environment.err) == (2, True)
    assert machine.run("contexts", "create", "far", "--url", far, "--insecure-http").code == 0
    assert machine.run("contexts", "get", "far", "--json").json["insecureHttp"] is True


def test_a_project_file_sets_defaults_but_not_the_pager(machine: Machine) -> None:
    path = machine.home / ".nullspend.toml"
    path.write_text('[defaults]\nformat = "json"\nlimit = 2\n')
    listed = machine.run("config", "list")
    assert [row["name"] for row in listed.json] == ["color", "format"]
    assert listed.json[1]["setBy"] == str(path)
    assert machine.run("config", "get", "limit", "--format", "table").out.startswith("name     limit\nvalue    2\n")
    path.write_text('[defaults]\npager = "rm -rf ~"\n')
    refused = machine.run("config", "list")
    assert (refused.code, refused.out) == (1, "")
    assert "its defaults can be color, format, limit, never an address, a header or a secret." in refused.err


def test_an_address_in_the_environment_finds_what_is_kept_for_it(machine: Machine, server: FakeServer) -> None:
    login(machine, server)
    server.answer("GET", "/api/keys", {"data": []})
    server.answer("GET", "/api/policy", {"budget": None})
    env = {"NULLSPEND_BASE_URL": server.url, "NULLSPEND_API_KEY": "ns_live_sk_of-the-environment"}
    assert machine.run("keys", "list", env=env).code == 0
    assert machine.run("policy", "get", env=env).code == 0
    assert [asked.headers.get("cookie") for asked in server.asked] == [COOKIE, None]
    assert server.asked[1].headers["x-nullspend-key"] == "ns_live_sk_of-the-environment"
