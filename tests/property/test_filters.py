"""Every page of every combination of filters holds what a look at each raw row finds, rare or common."""

import itertools
import json
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.resources.cost_events import filters, models, service
from tests.property.spending import DAY_MS, STEPS, Ground

COUNTED = {
    "provider": ["openai", "mcp", "nowhere"],
    "model": ["a", "b", "nowhere"],
    "source": ["sdk", "api"],
    "apiKeyId": ["the key's"],
}
OTHERS = {
    "customerId": ["acme", "nobody"],
    "sessionId": ["s1", "s9"],
    "tag.team": ["x", "true", "nothing"],
    "tag.stage": ["y", "true"],
}
COLUMNS = {
    "provider": "provider",
    "model": "model",
    "source": "source",
    "apiKeyId": "api_key_id",
    "customerId": "customer_id",
    "sessionId": "session_id",
}


def matches(row: dict[str, Any], asked: dict[str, Any], bounds: dict[str, int]) -> bool:
    tags = json.loads(row["tags"])
    return (
        all(row[column] == asked[name] for name, column in COLUMNS.items() if name in asked)
        and all(tags.get(name[4:]) == value for name, value in asked.items() if name.startswith("tag."))
        and bounds.get("createdAfter", 0) <= row["created_at"] < bounds.get("createdBefore", 2**60)
    )


def all_pages(ground: Ground, asked: dict[str, Any], limit: int) -> list[str]:
    ids: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        query = models.ListCostEvents.model_validate({**asked, **cursor, "limit": str(limit)})
        page = ground.database.read(lambda tx, query=query: service.list_cost_events(tx, ground.call(query=query)))
        ids += [event["id"] for event in page["data"]]
        if page["cursor"] is None:
            return ids
        cursor = {"cursor": json.dumps(page["cursor"])}


def combinations(ground: Ground, dice: Random) -> list[tuple[dict[str, Any], dict[str, int]]]:
    """Every combination of counted columns, each with and without some other filters and times."""
    found: list[tuple[dict[str, Any], dict[str, int]]] = []
    moments = [0, *(row["created_at"] for row in ground.rows()), ground.clock.now_ms()]
    for values in itertools.product(*([None, *each] for each in COUNTED.values())):
        asked = {name: value for name, value in zip(COUNTED, values, strict=True) if value is not None}
        if "apiKeyId" in asked:
            asked["apiKeyId"] = ground.key.key_id
        more = {name: dice.choice(each) for name, each in OTHERS.items() if dice.random() < 0.2}
        bounds = {
            name: dice.choice(moments) + dice.choice([-1, 0, 1, DAY_MS // 2])
            for name in ("createdAfter", "createdBefore")
            if dice.random() < 0.4
        }
        bounds = {name: max(0, moment) for name, moment in bounds.items()}
        found += [(asked, {}), (asked, bounds), (asked | more, bounds)]
    return found


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=STEPS.filter(lambda steps: sum(len(events) for _, events in steps) > 8),
    dice=st.randoms(use_true_random=False),
)
def test_pages_hold_what_the_raw_rows_say(
    new_ground: Any, steps: list[tuple[int, list[dict[str, Any]]]], dice: Random
) -> None:
    ground: Ground = new_ground()
    for advance, events in steps:
        ground.clock.advance(advance)
        if events:
            ground.report(events)
    rows = sorted(ground.rows(), key=lambda row: (row["created_at"], row["id"]), reverse=True)
    for asked, bounds in combinations(ground, dice):
        expected = [row["id"] for row in rows if matches(row, asked, bounds)]
        sent = asked | {name: to_iso(moment) for name, moment in bounds.items()}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(filters, "_RARE", dice.choice([0, 1, 3, 1_000]))
            assert all_pages(ground, sent, dice.choice([1, 2, 5, 100])) == expected, sent
