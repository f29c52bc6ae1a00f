"""`nullspend api`: what is sent, with which credential, and what is shown of the reply."""

import json
import re
from collections.abc import Iterator

import pytest

from nullspend_cli import transport
from nullspend_cli.endpoints import auth_of
from tests.cli.inside import Inside, inside
from tests.fakes.server import FakeServer, Scripted
from tests.machine import Daemon, Machine


@pytest.fixture
def run(elsewhere: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Inside]:
    yield inside(elsewhere, monkeypatch, capsys)
    transport.close()


def test_every_endpoint_of_the_daemon_gets_the_credential_it_takes(daemon: Daemon) -> None:
    document = daemon.call("GET", "/_local/openapi.json", auth=None).json
    wrong = []
    for path, operations in document["paths"].items():
        concrete = re.sub(r"\{[^}]+\}", "x", path)
        for method, operation in operations.items():
            schemes = {name for choice in operation["security"] for name in choice}
            takes_key = bool(schemes & {"apiKey", "bearerKey", "bearer"})
            wanted = {
                (True, True): "either",
                (True, False): "key",
                (False, True): "session",
                (False, False): "admin" if "adminToken" in schemes else "none",
            }[takes_key, "session" in schemes]
            chosen = auth_of(method.upper(), concrete).value
            open_by_nature = wanted == "none" and not concrete.startswith(("/api/health", "/api/version"))
            if chosen != wanted and not open_by_nature:
                wrong.append((method, path, chosen, wanted))
    assert wrong == []


def test_a_get_prints_the_reply_as_it_came(daemon: Daemon) -> None:
    whole = daemon.run("api", "/api/keys")
    assert (whole.code, whole.err) == (0, "")
    assert [key["name"] for key in whole.json["data"]] == ["default"]
    assert daemon.run("api", "keys", "--jq", ".data[0].name").out == "default\n"
    assert daemon.run("api", f"{daemon.url}/api/keys").out == whole.out
    assert daemon.run("api", "/_local/info", "--jq", ".hosted").out == "false\n"
    assert daemon.run("api", "GET", "/_local/users", "--jq", ".data | length").out == "1\n"


def test_fields_make_a_post_and_nested_ones_an_object(elsewhere: Machine, server: FakeServer) -> None:
    server.answer("POST", "/api/keys", Scripted(201, {"data": {"id": "x"}}))
    done = elsewhere.run(
        "api", "keys", "-f", "name=42", "-f", "defaultTags[team]=core", "-F", "allowedModels[]=gpt-4o",
        "-F", "allowedModels[]=o3", "-F", "n=7", "-F", "yes=true", "-F", "nothing=null", "-F", "price=0.5",
        "-H", "X-Trace: abc",
    )  # fmt: skip
    assert done.json == {"data": {"id": "x"}}
    (asked,) = server.asked
    assert asked.body == {
        "name": "42",
        "defaultTags": {"team": "core"},
        "allowedModels": ["gpt-4o", "o3"],
        "n": 7,
        "yes": True,
        "nothing": None,
        "price": "0.5",
    }
    assert (asked.headers["x-trace"], asked.headers["content-type"]) == ("abc", "application/json")


def test_a_body_comes_from_a_file_or_standard_input_and_a_field_from_either(
    elsewhere: Machine, server: FakeServer
) -> None:
    server.answer("POST", "/api/cost-events", Scripted(201, {}))
    server.answer("PATCH", "/api/keys/k", {})
    event = elsewhere.home / "event.json"
    event.write_text('{"a": 1}')
    assert elsewhere.run("api", "POST", "cost-events", "--input", "event.json").code == 0
    assert elsewhere.run("api", "cost-events", "--input", "-", "-f", "dry=1", input='{"b": 2}').code == 0
    assert elsewhere.run("api", "PATCH", "keys/k", "-F", "name=@event.json", "-F", "other=@-", input="typed").code == 0
    first, second, third = server.asked
    assert (first.body, second.body, second.query) == ({"a": 1}, {"b": 2}, {"dry": "1"})
    assert third.body == {"name": '{"a": 1}', "other": "typed"}
    assert "x-nullspend-key" in first.headers and "cookie" not in first.headers
    assert "cookie" in third.headers and "x-nullspend-key" not in third.headers


def test_fields_of_a_get_are_parameters(elsewhere: Machine, server: FakeServer) -> None:
    server.answer("GET", "/api/cost-events", {"data": []})
    assert elsewhere.run("api", "GET", "cost-events?limit=5", "-f", "tag.team=a b&c").code == 0
    assert server.asked[0].query == {"limit": "5", "tag.team": "a b&c"}


def test_all_pages_are_one_reply(elsewhere: Machine, server: FakeServer) -> None:
    cursor = {"createdAt": "2026-04-01T00:00:00.000Z", "id": "b"}
    server.answer(
        "GET",
        "/api/keys",
        {"data": [{"id": "a"}, {"id": "b"}], "cursor": cursor},
        {"data": [{"id": "c"}], "cursor": None},
    )
    assert elsewhere.run("api", "keys", "--paginate").json == {
        "data": [{"id": "a"}, {"id": "b"}, {"id": "c"}],
        "cursor": None,
    }
    assert json.loads(server.asked[1].query["cursor"]) == cursor


def test_include_shows_status_and_headers_also_of_a_refusal(elsewhere: Machine, server: FakeServer) -> None:
    envelope = {"error": {"code": "not_found", "message": "No such key.", "details": None}}
    server.answer("GET", "/api/keys/x", Scripted(404, envelope, (("X-Request-Id", "r1"),)))
    shown = elsewhere.run("api", "keys/x", "-i")
    assert shown.code == 5
    assert shown.out.startswith("HTTP 404\n")
    assert "x-request-id: r1\n" in shown.out
    assert json.loads(shown.out.partition("\n\n")[2]) == envelope
    plain = elsewhere.run("api", "keys/x")
    assert (plain.code, plain.out) == (5, "")
    assert plain.err.startswith("error: No such key.\n")


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/api/keys", "//evil.example/api/keys", "http://127.0.0.1:1/api/keys", "file:///etc/passwd"],
)
def test_another_host_is_refused_before_anything_is_sent(elsewhere: Machine, server: FakeServer, address: str) -> None:
    refused = elsewhere.run("api", address)
    assert (refused.code, refused.out, server.asked) == (2, "", [])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("POST", "GET", "keys"), "A request is [METHOD] PATH"),
        (("FETCH", "keys"), "A request is [METHOD] PATH"),
        (("keys", "-f", "name"), "-f 'name' is not name=value."),
        (("keys", "-H", "nonsense"), "-H 'nonsense' is not 'Name: value'."),
        (("keys", "-F", "a=1", "-F", "a[b]=2"), "The field 'a[b]' does not fit the other fields."),
        (("POST", "keys", "--paginate"), "--paginate is for a GET"),
        (("keys", "--auth", "magic"), "There is no credential 'magic'"),
        (("ke\x1b[31mys",), "is not a path"),
        (("keys", "-H", "X-A: a\r\nX-B: b"), "a character that no HTTP header can carry"),
    ],
)
def test_a_request_that_cannot_be_meant_is_a_usage_error(
    run: Inside, server: FakeServer, arguments: tuple[str, ...], sentence: str
) -> None:
    refused = run("api", *arguments)
    assert (refused.code, refused.out, server.asked) == (2, "", [])
    assert sentence in refused.err
    assert "\x1b" not in refused.err


def test_text_is_shown_line_by_line_with_nothing_in_it_interpreted(elsewhere: Machine, server: FakeServer) -> None:
    server.answer("GET", "/api/cost-events/export", Scripted(200, "id,name\r\n1,\x1b[31mred\u202e\r\n"))
    server.answer("GET", "/api/keys", {"data": "\x1b[31m\x9b\u202e"})
    assert elsewhere.run("api", "cost-events/export").out == "id,name\n1,\\x1b[31mred\\u202e\n"
    assert elsewhere.run("api", "keys").out == '{\n  "data": "\\u001b[31m\\u009b\\u202e"\n}\n'
