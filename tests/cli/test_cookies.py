import pytest

from nullspend_cli import cookies


def test_a_cookie_header_is_names_and_values_in_their_order() -> None:
    assert cookies.parse("a=1; b=x=y;  c = 3 ; ; broken") == {"a": "1", "b": "x=y", "c": "3"}


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("b=new; Path=/; HttpOnly", "a=1; b=new"),
        ("c=3; Max-Age=3600", "a=1; b=2; c=3"),
        ("b=; Path=/", "a=1"),
        ("b=x; max-age=0", "a=1"),
        ("b=x; Max-Age=-1", "a=1"),
        ("nonsense", "a=1; b=2"),
    ],
)
def test_a_set_cookie_header_adds_replaces_or_removes(line: str, header: str) -> None:
    assert cookies.merged("a=1; b=2", [line]) == header
