"""Money is an integer of microdollars (1 USD = 1,000,000); `Decimal` only while parsing, pricing and formatting."""

from decimal import ROUND_FLOOR, Decimal, InvalidOperation

MICRODOLLARS_PER_USD = 1_000_000
MICRODOLLARS_PER_CENT = 10_000
MAX_MICRODOLLARS = 2**53 - 1
"""The largest amount the API carries: JSON readers hold integers exactly up to here."""

_UNITS = {"usd": MICRODOLLARS_PER_USD, "c": MICRODOLLARS_PER_CENT, "u": 1}


class MoneyError(ValueError):
    """An amount a person typed that is no amount of money. The message is the sentence to show."""


def round_half_up(amount: Decimal) -> int:
    """The one rounding of this project: floor(x + 0.5), so 2.5 becomes 3 and -2.5 becomes -2."""
    return int((amount + Decimal("0.5")).to_integral_value(rounding=ROUND_FLOOR))


def parse_money(text: str) -> int:
    """Microdollars from what a person types: `5`, `$5`, `5.00`, `5usd`, `250c`, `5000000u`.

    Raises MoneyError for a negative amount, NaN, infinity, fractions of a microdollar and amounts above 2^53-1.
    """
    shown = text.strip()
    number, factor = shown.lower(), MICRODOLLARS_PER_USD
    dollar_sign = number.startswith(("$", "-$"))
    number = number.replace("$", "", 1) if dollar_sign else number
    for unit, worth in _UNITS.items():
        if number.endswith(unit) and not dollar_sign:
            number, factor = number.removesuffix(unit).strip(), worth
            break
    try:
        if "e" in number or "_" in number:
            raise InvalidOperation
        amount = Decimal(number)
    except InvalidOperation:
        raise MoneyError(f"{shown!r} is not an amount of money; write 5, $5, 5.00, 5usd, 250c or 5000000u") from None
    if not amount.is_finite():
        raise MoneyError(f"{shown!r} is not an amount of money; write a number such as $5")
    if amount < 0 or number.startswith("-"):
        raise MoneyError(f"{shown!r} is negative; an amount of money starts at 0")
    micro = amount * factor
    if micro != micro.to_integral_value():
        raise MoneyError(f"{shown!r} is finer than a microdollar; at most 6 decimals of a dollar count")
    if micro > MAX_MICRODOLLARS:
        raise MoneyError(f"{shown!r} is more than the largest amount, {format_money(MAX_MICRODOLLARS)}")
    return int(micro)


def format_money(microdollars: int, *, decimals: int | None = None) -> str:
    """Dollars for a person: `$5.00`, `$0.007250`, `-$1.50`.

    Without `decimals` two places are shown, and all six when cents cannot show the amount exactly.
    """
    if decimals is None:
        decimals = 2 if microdollars % MICRODOLLARS_PER_CENT == 0 else 6
    sign = "-" if microdollars < 0 else ""
    scaled = round_half_up(Decimal(abs(microdollars)).scaleb(decimals - 6))
    whole, fraction = divmod(scaled, 10**decimals)
    return f"{sign}${whole:,}" + (f".{fraction:0{decimals}d}" if decimals else "")


def usd_text(microdollars: int) -> str:
    """Plain dollars with six decimals, `0.007250`: the `cost_usd` column of the CSV exports."""
    sign = "-" if microdollars < 0 else ""
    whole, fraction = divmod(abs(microdollars), MICRODOLLARS_PER_USD)
    return f"{sign}{whole}.{fraction:06d}"
