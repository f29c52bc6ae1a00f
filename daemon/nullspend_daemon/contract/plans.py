"""What each plan allows. `None` means without limit; money is in microdollars."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """The limits of one tier."""

    tier: str | None
    label: str
    spend_cap_microdollars: int | None
    budgets: int | None
    keys: int | None
    webhooks: int | None
    seats: int | None
    retention_days: int | None
    body_capture: bool
    usd_per_month: int | None


FREE = Plan("free", "Free", 5_000_000_000, 3, 10, 2, 3, 30, False, 0)
PRO = Plan("pro", "Pro", 50_000_000_000, None, None, 25, None, 90, True, 49)
ENTERPRISE = Plan("enterprise", "Enterprise", None, None, None, None, None, None, True, None)
UNLIMITED = Plan(None, "Local", None, None, None, None, None, None, True, None)
"""A daemon without `--hosted` and without a subscription row: no limits of any kind."""

PLANS: dict[str, Plan] = {"free": FREE, "pro": PRO, "enterprise": ENTERPRISE}
