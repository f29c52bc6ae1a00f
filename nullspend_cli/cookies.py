"""A Cookie header value, and what Set-Cookie headers make of it."""

from collections.abc import Iterable


def parse(header: str) -> dict[str, str]:
    """The names and values of a Cookie header, in their order."""
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals and name.strip()}


def merged(header: str, set_cookies: Iterable[str]) -> str:
    """The Cookie header after the server's Set-Cookie headers; a cookie set to nothing or to no life is dropped."""
    jar = parse(header)
    for line in set_cookies:
        pair, *attributes = line.split(";")
        for name, value in parse(pair).items():
            if value and not any(_ends(attribute) for attribute in attributes):
                jar[name] = value
            else:
                jar.pop(name, None)
    return _header(jar)


def without(set_cookies: Iterable[str], name: str) -> list[str]:
    """The Set-Cookie headers that set another cookie than `name`."""
    return [line for line in set_cookies if line.partition("=")[0].strip() != name]


def pasted(text: str) -> str:
    """A Cookie header value from what a person copies out of a browser: with or without the header's name."""
    name, colon, value = text.strip().partition(":")
    return value.strip() if colon and name.strip().lower() == "cookie" else text.strip()


def _header(jar: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in jar.items())


def _ends(attribute: str) -> bool:
    name, _, value = attribute.strip().partition("=")
    if name.lower() == "max-age":
        return value.strip() == "0" or value.strip().startswith("-")
    return name.lower() == "expires" and _is_past(value)


def _is_past(date: str) -> bool:
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return False
    return moment.replace(tzinfo=moment.tzinfo or UTC) <= datetime.now(UTC)
