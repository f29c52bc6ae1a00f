"""Values as text: nothing here prints, nothing here decides where text goes."""

import unicodedata
from collections.abc import Sequence
from typing import Any, NamedTuple

from nullspend_daemon.contract.money import format_money

# Characters that would move the cursor, switch colours or reorder a line. Shown, never sent.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BREAKS = frozenset("\u2028\u2029\ufeff")
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


class Cell(NamedTuple):
    """A piece of text and the style it has where there is colour."""

    text: str
    style: str = ""


class Glyphs(NamedTuple):
    """The few characters that are not ASCII, and what stands for them where the terminal knows only ASCII."""

    full: str
    empty: str
    none: str
    ellipsis: str
    sparks: str


UNICODE = Glyphs("█", "░", "—", "…", "▁▂▃▄▅▆▇█")
ASCII = Glyphs("#", ".", "-", "...", "_.-=+*#@")


def _is_hostile(char: str) -> bool:
    code = ord(char)
    return code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 or char in _BIDI or char in _BREAKS


def _escape(char: str) -> str:
    code = ord(char)
    return _NAMED.get(char) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def visible(text: str) -> str:
    """`text` with control and bidi characters as visible escapes: an ESC becomes the four characters `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(_escape(char) if _is_hostile(char) else char for char in text)


def json_safe(text: str) -> str:
    """JSON text in which the hostile characters that JSON leaves alone (DEL, C1, bidi) are `\\u` escapes."""
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(f"\\u{ord(char):04x}" if char != "\n" and _is_hostile(char) else char for char in text)


def width_of(text: str) -> int:
    """The terminal columns `text` takes."""
    if text.isascii():
        return len(text)
    return sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def plain(value: Any) -> str:
    """Any JSON value as one line of text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(plain(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}={plain(item)}" for name, item in value.items())
    return "" if value is None else str(value)


def money(microdollars: Any) -> str:
    """Dollars for a table: two decimals, more only where cents would hide a part of the amount."""
    return format_money(microdollars) if isinstance(microdollars, int) else plain(microdollars)


def count(number: Any) -> str:
    """An integer with thousands separated."""
    return f"{number:,}" if isinstance(number, int) else plain(number)


def calls(number: Any) -> str:
    """How many calls, in words."""
    return f"{count(number)} call{'' if number == 1 else 's'}"


def size(number: Any) -> str:
    """Bytes in the largest unit that leaves at least one."""
    amount = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def percent(spent: int, limit: int) -> int:
    """Whole percent of the limit that is spent, rounded down, so 100 means used up."""
    return spent * 100 // limit if limit else 0


def bar(spent: int, limit: int, glyphs: Glyphs, *, width: int = 10) -> str:
    """How much of `limit` is spent, as a bar of `width` characters; anything spent at all shows."""
    filled = min(width, spent * width // limit) if limit else 0
    if spent > 0 and filled == 0:
        filled = 1
    return glyphs.full * filled + glyphs.empty * (width - filled)


def threshold_style(spent: int, limit: int, thresholds: Sequence[int]) -> str:
    """The colour of a budget: red once it is used up or a threshold of 90 or more is passed, yellow for a lower one."""
    used = percent(spent, limit)
    passed = [threshold for threshold in thresholds if used >= threshold]
    if used >= 100 or any(threshold >= 90 for threshold in passed):
        return "red"
    return "yellow" if passed else ""


def sparkline(values: Sequence[int], glyphs: Glyphs, *, top: int | None = None) -> str:
    """One character a value, the tallest for `top`, which is the largest unless given."""
    top = max(values, default=0) if top is None else top
    last = len(glyphs.sparks) - 1
    return "".join(glyphs.sparks[value * last // top if top else 0] for value in values)


def clip(text: str, width: int, glyphs: Glyphs) -> str:
    """`text` cut to `width` columns, the cut marked with an ellipsis."""
    if width_of(text) <= width:
        return text
    room = max(0, width - len(glyphs.ellipsis))
    kept, used = "", 0
    for char in text:
        used += _char_width(char)
        if used > room:
            break
        kept += char
    return kept + glyphs.ellipsis[:width]
