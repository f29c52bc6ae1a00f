"""Small HTML pages: whatever comes from outside is escaped, nothing is loaded, nobody may frame them."""

from html import escape
from typing import Any

from nullspend_daemon.http.route import Document

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:38rem;margin:4rem auto;padding:0 1rem}"
    "pre{padding:.75rem;border:1px solid;overflow-x:auto}button{font:inherit;padding:.4rem 1rem;margin:0 .5rem .5rem 0}"
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; form-action {forms}"


def page(title: str, *parts: str, status: int | None = None, forms_lead_to: str | None = None) -> Document:
    """A page of `parts`, which are HTML. `forms_lead_to` is the origin that a sent form may end up at."""
    body = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)} - NullSpend</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1>{''.join(parts)}</body></html>"
    )
    forms = "'none'" if forms_lead_to is None else f"'self' {forms_lead_to}"
    return Document(body.encode(), "text/html; charset=utf-8", _headers(forms), status)


def redirect(location: str) -> Document:
    """303: the form was taken, go on there."""
    return Document(b"", "text/html; charset=utf-8", {**_headers("'none'"), "Location": location}, 303)


def text(words: Any) -> str:
    """A paragraph."""
    return f"<p>{escape(str(words))}</p>"


def command(line: str) -> str:
    """A command for the terminal."""
    return f"<pre>{escape(line)}</pre>"


def _headers(forms: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": _POLICY.format(forms=forms),
        "X-Content-Type-Options": "nosniff",
        # The URL of a billing page holds its token. Not `no-referrer`: browsers then send `Origin: null` with forms.
        "Referrer-Policy": "same-origin",
    }
