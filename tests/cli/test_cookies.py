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
        ("b=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "a=1"),
        ("b=new; Expires=Fri, 01 Jan 2100 00:00:00 GMT", "a=1; b=new"),
        ("b=new; Expires=whenever", "a=1; b=new"),
    ],
)
def test_a_set_cookie_header_adds_replaces_or_removes(line: str, header: str) -> None:
    assert cookies.merged("a=1; b=2", [line]) == header


@pytest.mark.parametrize(
    "text", ["a=1; b=2", "  a=1; b=2\n", "Cookie: a=1; b=2", "cookie:a=1; b=2"], ids=["bare", "spaces", "name", "lower"]
)
def test_what_is_copied_from_a_browser_may_carry_the_headers_name(text: str) -> None:
    assert cookies.pasted(text) == "a=1; b=2"


def test_a_cookie_whose_value_has_a_colon_is_left_alone() -> None:
    assert cookies.pasted("a=x:y; b=2") == "a=x:y; b=2"


def test_set_cookie_headers_of_one_name_can_be_left_out() -> None:
    lines = ["ns-active-org=x; Path=/", "sb-auth=y"]
    assert cookies.without(lines, "ns-active-org") == ["sb-auth=y"]
