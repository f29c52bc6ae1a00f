"""What a person sees of a payload: commands, mails and requests as what they are, the rest as JSON, nothing hostile."""

from typing import Any

import pytest

from nullspend_cli.keyboard import BACKSPACE, DOWN, END, ENTER, ESCAPE, UP, keys_in
from nullspend_cli.payload_view import payload_lines, summary
from nullspend_cli.render import Cell
from nullspend_cli.review.screen import wrapped


def text(kind: str, payload: Any, *, whole: bool = False) -> str:
    lines = payload_lines({"actionType": kind, "payload": payload}, whole=whole)
    return "\n".join("".join(cell.text for cell in line) for line in lines)


@pytest.mark.parametrize(
    ("kind", "payload", "shown"),
    [
        ("shell_command", {"command": "a && \\\n  b", "cwd": "/src"}, "$ a && \\\n    b\nin: /src"),
        ("shell_command", {"cmd": ["rm", "-rf", "x"]}, "$ rm -rf x"),
        (
            "send_email",
            {"body": "Dear A,\r\nyes", "to": ["a@x", "b@x"], "subject": "Hi", "from": "me@x"},
            "From: me@x\nTo: a@x, b@x\nSubject: Hi\nDear A,\nyes",
        ),
        ("http_post", {"url": "https://x", "body": {"n": 1}}, 'POST https://x\n\n{\n  "body": {\n    "n": 1\n  }\n}'),
        ("http_delete", {"url": "https://x"}, "DELETE https://x"),
        ("db_write", {"sql": "DELETE FROM t\nWHERE 1"}, "DELETE FROM t\nWHERE 1"),
        ("file_write", {"path": "/etc/x", "content": "a\nb"}, "File: /etc/x\na\nb"),
        ("file_delete", {"path": "/etc/x", "content": "a"}, 'File: /etc/x\n\n{\n  "content": "a"\n}'),
        ("http_post", {}, "{}"),
        ("launch", {"a": [], "b": {}, "c": None, "d": [True, 1.5]}, None),
        ("shell_command", {"command": 5}, '{\n  "command": 5\n}'),
        ("shell_command", ["not", "an", "object"], '[\n  "not",\n  "an",\n  "object"\n]'),
    ],
)
def test_a_payload_is_laid_out_as_what_it_is(kind: str, payload: Any, shown: str | None) -> None:
    if shown is None:
        shown = '{\n  "a": [],\n  "b": {},\n  "c": null,\n  "d": [\n    true,\n    1.5\n  ]\n}'
    assert text(kind, payload) == shown


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("shell_command", {"command": "ls\x1b[2K\rrm \u202egpj.x\u2066"}),
        ("send_email", {"to": "a\x1b]0;t\x07", "body": "\x9b31m\x7f"}),
        ("launch", {"\x1b[1m": "\u202e\x07\x9b", "b": ["\x1b"]}),
    ],
)
def test_control_characters_are_shown_and_never_sent(kind: str, payload: Any) -> None:
    shown = text(kind, payload)
    hostile = [char for char in shown if char != "\n" and (ord(char) < 32 or 0x7F <= ord(char) < 0xA0)]
    assert hostile == []
    assert not set("\u202e\u2066") & set(shown)
    assert "\\" in shown


def test_what_is_folded_says_how_much_and_is_there_when_asked_for() -> None:
    payload = {"body": "x" * 400 + "\n" + "line\n" * 30, "list": list(range(50)), "text": "y" * 500}
    folded = text("send_email", payload)
    assert "x" * 300 + " (+100 characters)" in folded
    assert "(+22 lines)" in folded
    assert "(+38 more)" in folded
    assert "y" * 300 + '" (+200 characters)' in folded
    whole = text("send_email", payload, whole=True)
    assert "(+" not in whole
    assert "x" * 400 in whole
    assert whole.count("line") == 30


@pytest.mark.parametrize(
    ("kind", "payload", "words"),
    [
        ("shell_command", {"command": "make\nrm"}, "make"),
        ("send_email", {"to": "a@x", "subject": "Hi"}, "Hi"),
        ("send_email", {"to": ["a@x", "b@x"]}, "a@x, b@x"),
        (
            "budget_increase",
            {"entityType": "customer", "entityId": "acme", "requestedAmountMicrodollars": 2_000_000},
            "$2.00 more for customer acme",
        ),
        ("launch", {"a": 1}, "a=1"),
        ("launch", None, ""),
    ],
)
def test_a_summary_is_the_telling_part(kind: str, payload: Any, words: str) -> None:
    assert summary({"actionType": kind, "payload": payload}) == words


def test_wrapping_leaves_nothing_out_and_counts_wide_characters() -> None:
    lines = list(wrapped([Cell("abc", "bold"), Cell("漢字漢字")], 6))
    assert lines == [[Cell("abc", "bold"), Cell("漢")], [Cell("字漢字")]]


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        ("a", ["a"]),
        ("qé", ["q", "é"]),
        ("\x1b[A\x1b[B\x1bOA\x1b[F", [UP, DOWN, UP, END]),
        ("\x1b", [ESCAPE]),
        ("\r\n\x7f", [ENTER, ENTER, BACKSPACE]),
        ("\x1b[200~aaa", []),
    ],
)
def test_what_a_terminal_sends_is_read_as_keys(sent: str, keys: list[str]) -> None:
    assert keys_in(sent) == keys
