"""What every reply carries, who may reach the port, and what happens to a request that is none."""

import gzip
import json
import socket
from urllib.parse import urlsplit

import pytest

from tests.conftest import StartDaemon
from tests.machine import Daemon

EVENT = {"provider": "p", "model": "m", "inputTokens": 1, "outputTokens": 1, "costMicrodollars": 1}
CAP = 1_048_576


def raw(daemon: Daemon, request: bytes) -> bytes:
    """Bytes in, bytes out until the server closes, for what no HTTP client would send."""
    host, port = urlsplit(daemon.url).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


@pytest.mark.parametrize(
    ("method", "path", "auth"),
    [
        ("GET", "/api/health", None),
        ("GET", "/api/keys", "session"),
        ("GET", "/api/budgets", "key"),
        ("GET", "/api/keys", None),
        ("GET", "/nowhere", None),
        ("PUT", "/api/keys", None),
        ("GET", "/_local/info", None),
    ],
)
def test_every_reply_names_request_version_and_caching(
    daemon: Daemon, method: str, path: str, auth: str | None
) -> None:
    reply = daemon.call(method, path, auth=auth)
    assert reply.headers["nullspend-version"] == "2026-04-01"
    assert reply.headers["cache-control"] == "private, no-store"
    assert "Cookie" in reply.headers["vary"]
    assert len(reply.headers["x-request-id"]) == 36
    assert not [name for name in reply.headers if name.startswith("access-control-")]


def test_a_request_id_is_echoed_and_a_hostile_one_is_not(daemon: Daemon) -> None:
    echoed = daemon.call("GET", "/api/health", headers={"x-request-id": "job 7/éclair".replace("é", "e")})
    assert echoed.headers["x-request-id"] == "job 7/eclair"
    replaced = daemon.call("GET", "/api/health", headers={"x-request-id": "x" * 201})
    assert replaced.headers["x-request-id"] != "x" * 201


def test_an_unsupported_version_is_ignored(daemon: Daemon) -> None:
    reply = daemon.call("GET", "/api/health", headers={"NullSpend-Version": "1999-01-01"})
    assert (reply.status, reply.headers["nullspend-version"]) == (200, "2026-04-01")


def test_an_unknown_path_is_not_found_in_the_envelope(daemon: Daemon) -> None:
    reply = daemon.call("GET", "/api/nothing")
    assert (reply.status, reply.json["error"]["code"], reply.json["error"]["details"]) == (404, "not_found", None)


def test_an_unknown_method_names_the_allowed_ones(daemon: Daemon) -> None:
    reply = daemon.call("PUT", "/api/keys")
    assert (reply.status, reply.json["error"]["code"]) == (405, "method_not_allowed")
    assert reply.headers["allow"] == "GET, POST"


def test_a_request_that_is_no_http_gets_the_envelope(daemon: Daemon) -> None:
    head, body = raw(daemon, b"GARBAGE\r\n\r\n").split(b"\r\n\r\n", 1)
    assert b" 400 " in head.splitlines()[0]
    assert json.loads(body)["error"]["code"] == "bad_request"


def test_a_header_line_without_end_gets_the_envelope(daemon: Daemon) -> None:
    head, body = raw(daemon, b"GET /api/health HTTP/1.1\r\nHost: localhost\r\nx: " + b"a" * 20_000 + b"\r\n\r\n").split(
        b"\r\n\r\n", 1
    )
    assert b" 400 " in head.splitlines()[0]
    assert json.loads(body)["error"]["code"] == "bad_request"


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9", "[::1]", "[::1]:80"])
def test_a_loopback_host_is_served(daemon: Daemon, host: str) -> None:
    assert daemon.call("GET", "/api/health", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "169.254.169.254", ""]
)
@pytest.mark.parametrize("path", ["/api/health", "/_local/info", "/nowhere", "/v1/models"])
def test_a_foreign_host_is_misdirected_on_every_path(daemon: Daemon, host: str, path: str) -> None:
    reply = daemon.call("GET", path, headers={"Host": host})
    assert (reply.status, reply.json["error"]["code"]) == (421, "misdirected_request")


def test_a_host_given_with_allow_host_is_served(start: StartDaemon) -> None:
    daemon = start("--allow-host", "ci.internal", "--allow-host", "Other.Internal")
    assert daemon.call("GET", "/api/health", headers={"Host": "ci.internal:4747"}).status == 200
    assert daemon.call("GET", "/api/health", headers={"Host": "other.internal"}).status == 200
    assert daemon.call("GET", "/api/health", headers={"Host": "third.internal"}).status == 421
    assert daemon.call("GET", "/_local/users", auth="admin", headers={"Host": "ci.internal"}).status == 403


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Origin": "https://evil.example"}, "csrf_rejected"),
        ({"Origin": "http://localhost:1"}, "csrf_rejected"),
        ({"Origin": "null"}, "invalid_origin"),
        ({"Origin": "http://[bad"}, "invalid_origin"),
        ({"Sec-Fetch-Site": "cross-site"}, "csrf_rejected"),
        ({"Sec-Fetch-Site": "same-site"}, "csrf_rejected"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_sites_page_is_refused_also_for_reading(
    daemon: Daemon, headers: dict[str, str], code: str, method: str
) -> None:
    reply = daemon.call(method, "/api/keys", None if method == "GET" else {"name": "x"}, headers=headers)
    assert reply.json["error"]["code"] == code
    assert reply.status == (400 if code == "invalid_origin" else 403)


def test_the_own_origin_and_no_origin_are_let_in(daemon: Daemon) -> None:
    assert daemon.call("GET", "/api/keys", headers={"Origin": daemon.url}).status == 200
    assert daemon.call("POST", "/api/keys", {"name": "x"}, headers={"Origin": daemon.url}).status == 201
    assert daemon.call("GET", "/api/keys", headers={"Sec-Fetch-Site": "same-origin"}).status == 200


def test_without_origin_a_write_is_judged_by_its_referer_and_a_read_is_not(daemon: Daemon) -> None:
    foreign = {"Referer": "https://evil.example/page"}
    assert daemon.call("POST", "/api/keys", {"name": "x"}, headers=foreign).status == 403
    assert daemon.call("GET", "/api/keys", headers=foreign).status == 200
    assert daemon.call("POST", "/api/keys", {"name": "x"}, headers={"Referer": f"{daemon.url}/app"}).status == 201


def test_forwarded_headers_count_only_behind_a_trusted_proxy(start: StartDaemon, daemon: Daemon) -> None:
    forwarded = {"X-Forwarded-Host": "evil.example"}
    assert daemon.call("GET", "/api/health", headers=forwarded).status == 200
    behind = start("--trust-proxy")
    assert behind.call("GET", "/api/health", headers=forwarded).status == 421
    assert (
        behind.call("GET", "/api/health", headers={"X-Forwarded-Host": "localhost", "Host": "x.example"}).status == 200
    )


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP"])
def test_the_control_plane_is_not_served_through_a_proxy(daemon: Daemon, name: str) -> None:
    reply = daemon.call("GET", "/_local/users", auth="admin", headers={name: "127.0.0.1"})
    assert (reply.status, reply.json["error"]["code"]) == (403, "forbidden")


# -- bodies


def test_a_body_of_exactly_the_cap_is_read_and_one_byte_more_is_not(daemon: Daemon) -> None:
    body = json.dumps({**EVENT, "ignored": ""}).encode()
    fits = body[:-2] + b"x" * (CAP - len(body)) + body[-2:]
    assert len(fits) == CAP
    assert daemon.call("POST", "/api/cost-events", fits, auth="key").status == 201
    reply = daemon.call("POST", "/api/cost-events", fits[:-2] + b"x" + fits[-2:], auth="key")
    assert (reply.status, reply.json["error"]["code"]) == (413, "payload_too_large")


def test_the_declared_length_is_refused_before_anybody_is_authenticated(daemon: Daemon) -> None:
    assert daemon.call("POST", "/api/cost-events", b"x" * (CAP + 1), auth=None).status == 413


def test_a_chunked_body_over_the_cap_is_refused_too(daemon: Daemon) -> None:
    head = (
        f"POST /api/cost-events HTTP/1.1\r\nHost: localhost\r\nX-NullSpend-Key: {daemon.key}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    ).encode()
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    received = raw(daemon, head + chunk * 17 + b"0\r\n\r\n")
    assert b"413" in received.splitlines()[0]
    assert b"payload_too_large" in received


def test_a_compressed_body_counts_as_large_as_it_becomes(daemon: Daemon) -> None:
    small = gzip.compress(json.dumps(EVENT).encode())
    large = gzip.compress(b" " * (CAP * 20))
    encoded = {"Content-Encoding": "gzip"}
    assert daemon.call("POST", "/api/cost-events", small, auth="key", headers=encoded).status == 201
    assert daemon.call("POST", "/api/cost-events", large, auth="key", headers=encoded).status == 413
    broken = daemon.call("POST", "/api/cost-events", b"no gzip at all", auth="key", headers=encoded)
    assert (broken.status, broken.json["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "body", [b"", b"   ", b"{", b"nope", b'{"a":NaN}', b'{"name":"\\ud800"}', b"[" * 5000, b"\xff\xfe"]
)
def test_what_is_no_json_is_invalid_json(daemon: Daemon, body: bytes) -> None:
    reply = daemon.call("POST", "/api/keys", body)
    assert (reply.status, reply.json["error"]["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null", b"true"])
def test_json_that_is_no_object_is_a_validation_error_of_the_whole(daemon: Daemon, body: bytes) -> None:
    reply = daemon.call("POST", "/api/keys", body)
    assert reply.json["error"]["code"] == "validation_error"
    assert [issue["path"] for issue in reply.json["error"]["details"]["issues"]] == [[]]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jso", ""])
def test_another_content_type_is_refused(daemon: Daemon, content_type: str) -> None:
    reply = daemon.call("POST", "/api/keys", {"name": "x"}, headers={"Content-Type": content_type})
    assert (reply.status, reply.json["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_the_content_type_may_carry_parameters(daemon: Daemon, content_type: str) -> None:
    assert daemon.call("POST", "/api/keys", {"name": "x"}, headers={"Content-Type": content_type}).status == 201


def test_a_route_without_body_ignores_body_and_content_type(daemon: Daemon) -> None:
    made = daemon.call("POST", "/api/keys", {"name": "x"}).json["id"]
    assert daemon.call("DELETE", f"/api/keys/{made}", b"{not json", headers={"Content-Type": "text/x"}).status == 200


def test_the_checks_come_in_the_contracts_order(daemon: Daemon) -> None:
    wrong_everything = {"Content-Type": "text/plain"}
    assert daemon.call("PATCH", "/api/keys/nonsense", b"{", auth=None, headers=wrong_everything).status == 401
    path_first = daemon.call("PATCH", "/api/keys/nonsense", b"{", headers=wrong_everything)
    assert (path_first.status, path_first.json["error"]["details"]["issues"][0]["path"]) == (400, ["id"])
    missing = "/api/keys/ns_key_019a0000-0000-7000-8000-000000000000"
    assert daemon.call("PATCH", missing, b"{", headers=wrong_everything).status == 415
    assert daemon.call("PATCH", missing, b"{").json["error"]["code"] == "invalid_json"
    assert daemon.call("PATCH", missing, {}).json["error"]["code"] == "validation_error"
    assert daemon.call("PATCH", missing, {"name": "x"}).json["error"]["code"] == "not_found"


def test_all_issues_are_reported_with_two_keys_each(daemon: Daemon) -> None:
    reply = daemon.call(
        "POST", "/api/cost-events", {"provider": "", "model": 7, "inputTokens": -1, "tags": {"a b": "x"}}, auth="key"
    )
    issues = reply.json["error"]["details"]["issues"]
    assert {tuple(issue["path"]) for issue in issues} == {
        ("provider",),
        ("model",),
        ("inputTokens",),
        ("outputTokens",),
        ("costMicrodollars",),
        ("tags", "a b"),
    }
    assert all(issue.keys() == {"path", "message"} for issue in issues)


def test_one_bad_item_of_a_batch_is_named_by_its_position_and_refuses_all(daemon: Daemon) -> None:
    before = daemon.call("GET", "/_local/info", auth="admin").json["counts"]["costEvents"]
    batch = {"events": [EVENT, EVENT, EVENT, {**EVENT, "model": None}]}
    reply = daemon.call("POST", "/api/cost-events/batch", batch, auth="key")
    assert [issue["path"] for issue in reply.json["error"]["details"]["issues"]] == [["events", 3, "model"]]
    assert daemon.call("GET", "/_local/info", auth="admin").json["counts"]["costEvents"] == before
