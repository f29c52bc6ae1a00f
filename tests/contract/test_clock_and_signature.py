"""Times as the API writes them, and the signature of a webhook as a receiver checks it."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nullspend_daemon.contract import signature
from nullspend_daemon.contract.clock import TestClock, from_iso, to_iso


def test_a_time_has_milliseconds_and_a_z() -> None:
    assert to_iso(1_234_567_890_123) == "2009-02-13T23:31:30.123Z"
    assert to_iso(0) == "1970-01-01T00:00:00.000Z"


@given(st.integers(0, 253_402_300_799_999))
def test_times_read_back_as_themselves(ms: int) -> None:
    assert from_iso(to_iso(ms)) == ms


def test_seconds_and_longer_fractions_are_read() -> None:
    assert from_iso("2026-04-01T12:00:00Z") == 1_775_044_800_000
    assert from_iso("2026-04-01T12:00:00.123456Z") == 1_775_044_800_123


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-04-01",
        "2026-04-01T12:00:00",
        "2026-04-01T12:00:00+00:00",
        "2026-13-01T00:00:00Z",
        "now",
        "٢026-04-01T12:00:00Z",
    ],
)
def test_a_time_without_z_or_out_of_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        from_iso(text)


def test_the_test_clock_only_moves_forward() -> None:
    clock = TestClock()
    before = clock.now_ms()
    clock.advance(86_400_000)
    assert clock.now_ms() - before >= 86_400_000
    with pytest.raises(ValueError):
        clock.advance(-1)


def test_a_signature_is_the_hmac_of_time_dot_body_with_the_whole_secret() -> None:
    secret, body = "whsec_" + "ab" * 32, b'{"id":"evt_1"}'
    expected = hmac.new(secret.encode(), b"1700000000." + body, hashlib.sha256).hexdigest()
    assert signature.sign([secret], 1_700_000_000, body) == f"t=1700000000,v1={expected}"


def test_after_a_rotation_both_secrets_sign_the_new_one_first() -> None:
    header = signature.sign(["whsec_new", "whsec_old"], 1_700_000_000, b"{}")
    timestamp, signatures = signature.parse(header)
    assert (timestamp, len(signatures)) == (1_700_000_000, 2)
    assert signature.matches("whsec_new", timestamp, b"{}", signatures[:1])
    assert signature.matches("whsec_old", timestamp, b"{}", signatures)
    assert not signature.matches("whsec_other", timestamp, b"{}", signatures)
    assert not signature.matches("whsec_new", timestamp, b"{ }", signatures)


@pytest.mark.parametrize("header", ["", "t=1", "v1=ab", "t=x,v1=ab", "t=1,t=2,v1=ab"])
def test_a_header_without_time_or_signature_is_refused(header: str) -> None:
    with pytest.raises(ValueError):
        signature.parse(header)
