import pytest

from nullspend_cli.trace import Trace, masked

KEY = "ns_live_sk_0123456789abcdef0123456789abcdef"


def test_secrets_are_masked_wherever_they_stand() -> None:
    assert masked(f"/k/{KEY}/v1") == "/k/ns_live_sk_01234567***/v1"
    assert masked('{"rawKey": "abc", "name": "n", "cookie":"x=y"}') == '{"rawKey": "***", "name": "n", "cookie":"***"}'
    assert masked('{"stripeKey": "rk_live_x", "formToken": "f"}') == '{"stripeKey": "***", "formToken": "***"}'
    assert masked('{"url": "http://x/pay?a=1&token=abc"}') == '{"url": "http://x/pay?a=1&token=***"}'
    assert masked("token=abc&action=pay") == "token=***&action=pay"


def test_verbose_shows_one_line_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NULLSPEND_DEBUG", raising=False)
    lines: list[str] = []
    trace = Trace(lines.append, verbose=True)
    trace.request("GET", "http://x/api/keys", {"Cookie": "secret"}, None)
    trace.reply("GET", "http://x/api/keys", 200, 12.3, {}, b"{}")
    assert lines == ["GET http://x/api/keys 200 12 ms"]


def test_the_debug_trace_shows_headers_and_bodies_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NULLSPEND_DEBUG", "api")
    lines: list[str] = []
    trace = Trace(lines.append, verbose=False)
    trace.request("POST", "http://x/api/keys", {"Cookie": "a=1", "Accept": "*/*"}, b'{"name": "\x1b"}')
    trace.reply("POST", "http://x/api/keys", 201, 1, {"set-cookie": "a=2"}, f'{{"rawKey": "{KEY}"}}'.encode())
    assert lines == [
        "> POST http://x/api/keys",
        "> Cookie: ***",
        "> Accept: */*",
        '> {"name": "\\x1b"}',
        "POST http://x/api/keys 201 1 ms",
        "< set-cookie: ***",
        '< {"rawKey": "***"}',
    ]


def test_without_either_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NULLSPEND_DEBUG", raising=False)
    lines: list[str] = []
    Trace(lines.append, verbose=False).reply("GET", "http://x", 200, 1, {}, b"")
    assert lines == []
