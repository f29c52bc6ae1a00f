"""Output with everything that differs from run to run replaced by something of the same width."""

import re

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SHOWN_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\dZ")
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_DAY = re.compile(r"\b20\d\d-\d\d-\d\d\b")
_RAW_KEY = re.compile(r"ns_live_sk_[0-9a-f]{32}")
_PREFIX = re.compile(r"ns_live_sk_[0-9a-f]{8}\b")

UUID = "00000000-0000-7000-8000-000000000000"
TIME = "2026-01-01 00:00Z"
ISO = "2026-01-01T00:00:00.000Z"
DAY = "2026-01-01"
RAW_KEY = "ns_live_sk_" + "0" * 32
PREFIX = "ns_live_sk_00000000"


def steady(text: str) -> str:
    """`text` as it would be if every id, time and key were the same one."""
    for pattern, instead in (
        (_UUID, UUID),
        (_ISO_TIME, ISO),
        (_SHOWN_TIME, TIME),
        (_DAY, DAY),
        (_RAW_KEY, RAW_KEY),
        (_PREFIX, PREFIX),
    ):
        text = pattern.sub(instead, text)
    return text
