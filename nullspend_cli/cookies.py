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
    return "; ".join(f"{name}={value}" for name, value in jar.items())


def _ends(attribute: str) -> bool:
    name, _, value = attribute.strip().partition("=")
    return name.lower() == "max-age" and (value.strip() == "0" or value.strip().startswith("-"))
