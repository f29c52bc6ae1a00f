"""`webhooks verify`: valid, or which part is wrong. The signature below was made with openssl."""

import pytest

from nullspend_cli.verifying import Invalid, verify

SECRET = "whsec_" + "0123456789abcdef" * 4
BODY = b'{"id":"evt_1","data":{"object":{"n":1}}}'
AT = 1_764_000_000
SIGNATURE = "6254019c631b083f6ae82d94419eefef2fba34edf2d5d47eb7bfa4e9c42d9a7f"
HEADER = f"t={AT},v1={SIGNATURE}"


def why(secret: str = SECRET, header: str = HEADER, body: bytes = BODY, now: int = AT, tolerance: int = 300) -> str:
    with pytest.raises(Invalid) as caught:
        verify(secret, header, body, now_s=now, tolerance_s=tolerance)
    assert caught.value.exit_code == 1
    return caught.value.message


def test_a_right_signature_says_when_it_was_made() -> None:
    assert verify(SECRET, HEADER, BODY, now_s=AT + 299, tolerance_s=300) == AT
    assert (
        verify(
            SECRET,
            f"t={AT},v1={'0' * 64},v1={SIGNATURE}",
            BODY,
            now_s=AT,
            tolerance_s=300,
        )
        == AT
    )
    assert verify(SECRET, HEADER, BODY, now_s=AT + 10**9, tolerance_s=0) == AT


def test_an_old_one_is_told_from_a_wrong_one() -> None:
    assert "the time is not: it was signed 5m 1s ago" in why(now=AT + 301)
    assert "the time is not: it was signed 10m from now" in why(now=AT - 600)


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"v1={SIGNATURE}",
        f"t=soon,v1={SIGNATURE}",
        f"t={AT}",
        f"t={AT},v1=xyz",
        "nonsense",
    ],
)
def test_a_malformed_header_is_named(header: str) -> None:
    assert "malformed" in why(header=header)


@pytest.mark.parametrize(
    ("body", "how"),
    [
        (BODY + b"\n", "without the line break at its end"),
        (b" " + BODY, "without the blanks around it"),
        (b"\xef\xbb\xbf" + BODY, "without the byte order mark"),
        (b'{\n  "id": "evt_1",\n  "data": {"object": {"n": 1}}\n}', "before it was formatted"),
        (BODY[:-1], "not the JSON that was sent"),
    ],
)
def test_a_changed_body_is_named_with_the_change(body: bytes, how: str) -> None:
    message = why(body=body)
    assert message.startswith("The body was changed")
    assert how in message


@pytest.mark.parametrize("secret", [SECRET.removeprefix("whsec_"), f"{SECRET} ", "hunter2", SECRET[:-1]])
def test_a_secret_that_is_not_whole_is_named(secret: str) -> None:
    assert why(secret=secret).startswith("The secret is")


def test_another_secret_or_another_value_cannot_be_told_apart_and_is_not_guessed() -> None:
    for message in (why(secret="whsec_" + "f" * 64), why(body=BODY.replace(b"1", b"2"))):
        assert message.startswith("The secret is another endpoint's or an old one, or the body or the time was changed")
