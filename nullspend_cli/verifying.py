"""Whether a webhook body is what its sender signed, and where it is not, which part is wrong."""

import json
from collections.abc import Iterator

from nullspend_cli.problems import Problem
from nullspend_cli.when import show_duration
from nullspend_daemon.contract import signature

_SECRET_LENGTH = len("whsec_") + 64


class Invalid(Problem):
    """A signature that does not hold, or not any more."""

    code = "signature_invalid"


def verify(secret: str, header: str, body: bytes, *, now_s: int, tolerance_s: int) -> int:
    """When a delivery was signed, unix seconds. Raises Invalid naming the part that is wrong.

    `tolerance_s` is how far from `now_s` that may be; 0 is any distance.
    """
    try:
        signed_at, signatures = signature.parse(header)
    except ValueError as error:
        raise Invalid(
            f"The signature is malformed: {error}.",
            next="Give the whole X-NullSpend-Signature header: t=SECONDS,v1=HEX",
        ) from None
    if not signature.matches(secret, signed_at, body, signatures):
        raise Invalid(_mismatch(secret, signed_at, body, signatures))
    _check_age(now_s - signed_at, tolerance_s)
    return signed_at


def _check_age(age_s: int, tolerance_s: int) -> None:
    if tolerance_s and abs(age_s) > tolerance_s:
        when = f"{show_duration(abs(age_s) * 1000)} {'ago' if age_s > 0 else 'from now'}"
        raise Invalid(
            f"The secret and the body are right, but the time is not: it was signed {when}, "
            f"and {show_duration(tolerance_s * 1000)} are accepted.",
            next="A delivery is signed anew at each attempt; --tolerance 0 leaves the time out.",
        )


def _mismatch(secret: str, signed_at: int, body: bytes, signatures: list[str]) -> str:
    """The sentence for a signature that does not fit: what was changed, where that can be found out."""
    if not any(len(each) == 64 and set(each) <= set("0123456789abcdef") for each in signatures):
        return "The signature is malformed: v1=... must be 64 lower-case hex digits."
    for name, other in _bodies(body):
        if signature.matches(secret, signed_at, other, signatures):
            return f"The body was changed: the signature is that of the body {name}. Verify the bytes as they came."
    for name, candidate in _secrets(secret):
        if signature.matches(candidate, signed_at, body, signatures):
            return f"The secret is not whole: the signature is that of the secret {name}."
    if not secret.startswith("whsec_") or len(secret) != _SECRET_LENGTH:
        return (
            "The secret is wrong: it must be the whole whsec_ and 64 hex digits, as create or rotate-secret showed it."
        )
    if not _is_json(body):
        return "The body was changed: it is not the JSON that was sent."
    return "The secret is another endpoint's or an old one, or the body or the time was changed: no v1 part fits."


def _bodies(body: bytes) -> Iterator[tuple[str, bytes]]:
    """The usual ways a body is changed on the way to a file."""
    yield "without the line break at its end", body.rstrip(b"\r\n")
    yield "without the blanks around it", body.strip()
    yield "with line breaks as they were sent", body.replace(b"\r\n", b"\n")
    yield "without the byte order mark", body.removeprefix(b"\xef\xbb\xbf")
    if _is_json(body):
        compact = json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False)
        yield "before it was formatted", compact.encode("utf-8", "surrogatepass")


def _secrets(secret: str) -> Iterator[tuple[str, str]]:
    yield "with whsec_ in front", f"whsec_{secret}"
    yield "without the blanks around it", secret.strip()


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True
