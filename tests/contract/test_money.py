"""Amounts of money as people type and read them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nullspend_daemon.contract.money import (
    MAX_MICRODOLLARS,
    MoneyError,
    format_money,
    parse_money,
    round_half_up,
    usd_text,
)


@pytest.mark.parametrize(
    ("text", "microdollars"),
    [
        ("5", 5_000_000),
        ("$5", 5_000_000),
        ("5.00", 5_000_000),
        ("5usd", 5_000_000),
        ("5 USD", 5_000_000),
        ("250c", 2_500_000),
        ("0.5c", 5_000),
        ("5000000u", 5_000_000),
        ("0", 0),
        (".25", 250_000),
        ("$0.000001", 1),
        (" $1.50 ", 1_500_000),
        ("9007199254.740991", 9_007_199_254_740_991),
    ],
)
def test_an_amount_is_read_in_each_of_its_spellings(text: str, microdollars: int) -> None:
    assert parse_money(text) == microdollars


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("-5", "is negative"),
        ("-$5", "is negative"),
        ("$-5", "is negative"),
        ("-0", "is negative"),
        ("0.0000001", "finer than a microdollar"),
        ("0.5u", "finer than a microdollar"),
        ("nan", "is not an amount"),
        ("inf", "is not an amount"),
        ("", "is not an amount"),
        ("five", "is not an amount"),
        ("1e3", "is not an amount"),
        ("1_000", "is not an amount"),
        ("1,000", "is not an amount"),
        ("$5usd", "is not an amount"),
        ("9007199254.740992", "more than the largest"),
    ],
)
def test_what_is_no_amount_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(MoneyError, match=reason):
        parse_money(text)


@pytest.mark.parametrize(
    ("microdollars", "shown"),
    [
        (5_000_000, "$5.00"),
        (0, "$0.00"),
        (7_250, "$0.007250"),
        (10_000, "$0.01"),
        (1_234_567_890_000, "$1,234,567.89"),
        (-1_500_000, "-$1.50"),
        (-1, "-$0.000001"),
    ],
)
def test_cents_are_shown_and_six_decimals_where_cents_would_lie(microdollars: int, shown: str) -> None:
    assert format_money(microdollars) == shown


def test_a_fixed_number_of_decimals_rounds_half_up() -> None:
    assert format_money(5_005_000, decimals=2) == "$5.01"
    assert format_money(4_999_999, decimals=0) == "$5"


def test_the_one_rounding_goes_up_at_the_half() -> None:
    assert [round_half_up(Decimal(text)) for text in ("2.5", "3.5", "2.4999", "-2.5", "0.5")] == [3, 4, 2, -2, 1]


def test_csv_dollars_have_six_decimals() -> None:
    assert [usd_text(amount) for amount in (7_250, 5_000_000, 0, -1)] == [
        "0.007250",
        "5.000000",
        "0.000000",
        "-0.000001",
    ]


@given(st.integers(0, MAX_MICRODOLLARS))
def test_every_amount_shown_reads_back_as_itself(amount: int) -> None:
    assert parse_money(usd_text(amount)) == amount
    assert parse_money(format_money(amount).replace(",", "")) == amount
