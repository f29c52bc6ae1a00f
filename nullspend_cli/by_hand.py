"""`api`: a request put together from what was typed, and its reply as text."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from nullspend_cli import formats
from nullspend_cli.client import Auth, Client
from nullspend_cli.endpoints import auth_of
from nullspend_cli.problems import Problem, Usage
from nullspend_cli.render import visible
from nullspend_cli.transport import Answer, origin_of

METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE", "HEAD")
_SAFE = "/:@!$&'()*+,;=~-._%"


class Typed(NamedTuple):
    """One request. `query` are its parameters, `body` the bytes to send."""

    method: str
    path: str
    query: list[tuple[str, str]]
    body: bytes | None
    headers: dict[str, str]
    auth: Auth

    @property
    def target(self) -> str:
        """Path and query."""
        return self.path + (f"?{urlencode(self.query)}" if self.query else "")

    def repeatable(self) -> bool:
        """Whether sending it twice does no harm."""
        return self.method in ("GET", "HEAD")


def method_and_path(words: Sequence[str]) -> tuple[str | None, str]:
    """`[METHOD] PATH`. Raises Usage for anything else."""
    if len(words) == 1:
        return None, words[0]
    if len(words) != 2 or words[0].upper() not in METHODS:
        raise Usage(
            f"A request is [METHOD] PATH, where METHOD is one of {', '.join(METHODS)}.", next="nullspend api --help"
        )
    return words[0].upper(), words[1]


def typed(
    words: Sequence[str],
    fields: Iterable[tuple[str, Any]],
    given_body: bytes | None,
    headers: dict[str, str],
    origin: str,
    auth: str | None,
) -> Typed:
    """The request that was meant: with fields it is a POST unless said otherwise, and where there is no body to put
    them in, they are parameters."""
    method, address = method_and_path(words)
    pairs = list(fields)
    method = method or ("POST" if pairs or given_body is not None else "GET")
    path, query = _path_of(address, origin)
    body = given_body
    if pairs and (method in ("GET", "HEAD", "DELETE") or given_body is not None):
        query += [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in pairs]
    elif pairs:
        body = json.dumps(nested(pairs)).encode()
    if body is None and method in ("POST", "PATCH", "PUT"):
        body = b"{}"
    return Typed(method, path, query, body, headers, Auth(auth) if auth else auth_of(method, path))


def _path_of(address: str, origin: str) -> tuple[str, list[tuple[str, str]]]:
    """Path and parameters on the context's own server; `keys` is short for `/api/keys`."""
    if not address.isprintable():
        raise Usage(f"{visible(address)!r} is not a path.")
    parts = urlsplit(address)
    if (parts.scheme or parts.netloc or address.startswith("//")) and not _is_on(origin, parts.scheme, parts.netloc):
        raise Usage(
            f"{address} is not on {origin}: credentials go to their own server only.",
            next="Name that server's context with --context, and only the path.",
        )
    path = parts.path if parts.path.startswith("/") else f"/api/{parts.path}"
    return quote(path, safe=_SAFE), parse_qsl(parts.query, keep_blank_values=True)


def _is_on(origin: str, scheme: str, netloc: str) -> bool:
    return bool(scheme and netloc) and origin_of(f"{scheme}://{netloc}") == origin


def text_fields(texts: Iterable[str]) -> list[tuple[str, Any]]:
    """The pairs of `-f name=text`."""
    return [_pair(text, "-f") for text in texts]


def typed_fields(texts: Iterable[str]) -> list[tuple[str, Any]]:
    """The pairs of `-F name=value`: true, false, null, numbers, `@file` and `@-` are what they mean."""
    return [(name, _value(text)) for name, text in (_pair(text, "-F") for text in texts)]


def _pair(text: str, flag: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise Usage(f"{flag} {text!r} is not name=value.")
    return name, value


def _value(text: str) -> Any:
    if text.startswith("@"):
        return read_input(text[1:]).decode()
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, (dict, list, str, float)) else value


def read_input(name: str) -> bytes:
    """A file, or standard input for `-`."""
    return sys.stdin.buffer.read() if name == "-" else Path(name).expanduser().read_bytes()


def nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The object of fields such as `tags[team]` and `eventTypes[]`. Raises Usage when two do not fit together."""
    body: dict[str, Any] = {}
    for name, value in pairs:
        first, *rest = name.replace("]", "").split("[")
        _put(body, first, rest, value, name)
    return body


def _put(into: dict[str, Any], step: str, rest: list[str], value: Any, name: str) -> None:
    if not rest:
        into[step] = value
        return
    below = into.setdefault(step, [] if rest == [""] else {})
    if rest == [""] and isinstance(below, list):
        below.append(value)
    elif rest != [""] and isinstance(below, dict):
        _put(below, rest[0], rest[1:], value, name)
    else:
        raise Usage(f"The field {name!r} does not fit the other fields.")


def header_lines(texts: Iterable[str]) -> dict[str, str]:
    """The headers of `-H 'Name: value'`."""
    headers: dict[str, str] = {}
    for text in texts:
        name, colon, value = text.partition(":")
        if not name.strip() or not colon:
            raise Usage(f"-H {text!r} is not 'Name: value'.")
        headers[name.strip()] = value.strip()
    return headers


def send(client: Client, request: Typed) -> Answer:
    """The server's answer, whatever it is."""
    return client.request(
        request.method,
        request.target,
        request.body,
        request.auth,
        repeatable=request.repeatable(),
        headers=request.headers,
    )


def all_pages(client: Client, request: Typed) -> dict[str, Any]:
    """The first page with the rows of all others in it. Raises what a failing page raises."""
    whole: dict[str, Any] | None = None
    while True:
        page = client.good(send(client, request), request.auth)
        rows = page.get("data")
        if whole is None:
            whole = page
        elif isinstance(rows, list):
            whole["data"].extend(rows)
        cursor = page.get("cursor")
        if not cursor or not isinstance(rows, list) or not rows:
            return {**whole, "cursor": None} if "cursor" in whole else whole
        text = cursor if isinstance(cursor, str) else json.dumps(cursor)
        request = request._replace(query=[*(pair for pair in request.query if pair[0] != "cursor"), ("cursor", text)])


def head(answer: Answer) -> str:
    """Status line and headers, as `-i` shows them."""
    lines = [f"HTTP {answer.status}", *(f"{name}: {value}" for name, value in answer.headers.items())]
    return "".join(f"{visible(line)}\n" for line in lines) + "\n"


def body_text(answer: Answer, jq: str | None) -> str:
    """The body: JSON indented or through jq, other text line by line with nothing in it interpreted."""
    if not answer.body:
        return ""
    try:
        value = json.loads(answer.body)
    except ValueError:
        if jq:
            raise Problem("The reply is not JSON, so there is nothing for --jq to filter.") from None
        lines = answer.body.decode("utf-8", "replace").split("\n")
        return "\n".join(visible(line.removesuffix("\r")) for line in lines).removesuffix("\n") + "\n"
    return formats.through_jq(jq, value) if jq else formats.pretty(value)
