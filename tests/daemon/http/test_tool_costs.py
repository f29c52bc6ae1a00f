"""Tool costs over HTTP: orgs 5."""

from typing import Any

import pytest
from dirty_equals import IsStr

from tests.machine import Daemon, Reply
from tests.people import MISSING, Person, person

TIME = IsStr(regex=r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Owner:
    """Somebody alone in their organization, with a key."""

    def __init__(self, daemon: Daemon) -> None:
        self.person: Person = person(daemon, "owner")
        self.daemon = daemon
        self.key = self.person.key()

    def discover(self, tools: Any, server: Any = "github", **headers: str) -> Reply:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        body = {"serverName": server, "tools": tools}
        with_key = {"X-NullSpend-Key": self.key, **given}
        return self.daemon.call("POST", "/api/tool-costs/discover", body, auth=None, headers=with_key)

    def tools(self) -> list[dict[str, Any]]:
        return list(self.person.data("GET", "/api/tool-costs"))

    def set(self, **body: Any) -> Reply:
        return self.person.call("POST", "/api/tool-costs", {"serverName": "github", "toolName": "search", **body})


@pytest.fixture
def owner(town: Daemon) -> Owner:
    return Owner(town)


SEARCH = {"name": "search", "tierCost": 20_000}


def test_a_discovered_tool_is_listed_with_all_its_fields(owner: Owner) -> None:
    full = {
        "name": " search ",
        "tierCost": 20_000,
        "suggestedCost": 10_000,
        "description": "Finds things",
        "annotations": {"readOnlyHint": True},
    }
    reply = owner.discover([full], server=" github ")
    assert (reply.status, reply.json) == (201, {"registered": 1})
    (tool,) = owner.tools()
    assert tool == {
        "id": IsStr(regex=r"ns_tc_[0-9a-f-]{36}"),
        "userId": owner.person.user_id,
        "serverName": "github",
        "toolName": "search",
        "costMicrodollars": 20_000,
        "suggestedCost": 10_000,
        "source": "discovered",
        "description": "Finds things",
        "annotations": {"readOnlyHint": True},
        "lastSeenAt": TIME,
        "createdAt": TIME,
        "updatedAt": TIME,
    }
    with_key = owner.daemon.call("GET", "/api/tool-costs", auth=None, headers={"X-NullSpend-Key": owner.key})
    assert with_key.json == {"data": [tool]}


def test_tools_are_listed_by_server_then_name(owner: Owner) -> None:
    owner.discover([{"name": "b", "tierCost": 0}, {"name": "a", "tierCost": 0}], server="z")
    owner.discover([{"name": "c", "tierCost": 0}], server="a")
    assert [(tool["serverName"], tool["toolName"]) for tool in owner.tools()] == [("a", "c"), ("z", "a"), ("z", "b")]


def test_a_cost_set_by_hand_stays_through_discovery_until_it_is_reset(owner: Owner) -> None:
    owner.discover([{**SEARCH, "description": "old"}])
    (before,) = owner.tools()
    manual = owner.set(costMicrodollars=5)
    assert (manual.status, manual.json["data"]) == (
        200,
        {**before, "costMicrodollars": 5, "source": "manual", "updatedAt": TIME},
    )
    owner.daemon.call("POST", "/_local/clock", {"advanceMs": 1000}, auth="admin")
    owner.discover([{**SEARCH, "tierCost": 99, "suggestedCost": 7, "description": "new", "annotations": {"x": 1}}])
    (after,) = owner.tools()
    assert (after["costMicrodollars"], after["source"]) == (5, "manual")
    assert (after["suggestedCost"], after["description"], after["annotations"]) == (7, "new", {"x": 1})
    assert after["lastSeenAt"] > before["lastSeenAt"]
    assert (after["id"], after["createdAt"]) == (before["id"], before["createdAt"])
    reset = owner.person.call("DELETE", f"/api/tool-costs/{after['id']}")
    assert (reset.status, reset.json) == (200, {"deleted": True})
    (zero,) = owner.tools()
    assert (zero["costMicrodollars"], zero["source"], zero["id"]) == (0, "discovered", after["id"])
    assert owner.person.call("DELETE", f"/api/tool-costs/{after['id']}").json == {"deleted": True}
    owner.discover([{**SEARCH, "tierCost": 99}])
    (again,) = owner.tools()
    assert (again["costMicrodollars"], again["source"]) == (99, "discovered")
    assert (again["suggestedCost"], again["description"], again["annotations"]) == (0, None, None)


def test_only_a_known_tool_can_be_set(owner: Owner) -> None:
    owner.discover([SEARCH])
    for body in ({"toolName": "Search"}, {"serverName": "gitlab"}):
        missing = owner.set(costMicrodollars=1, **body)
        assert (missing.status, missing.json["error"]["code"]) == (404, "not_found")
    assert owner.set(costMicrodollars=0).status == 200
    assert owner.set(costMicrodollars=9_007_199_254_740_991).json["data"]["costMicrodollars"] == 9_007_199_254_740_991


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"costMicrodollars": -1}, "costMicrodollars"),
        ({"costMicrodollars": 9_007_199_254_740_992}, "costMicrodollars"),
        ({"costMicrodollars": 0.5}, "costMicrodollars"),
        ({"costMicrodollars": "5"}, "costMicrodollars"),
        ({}, "costMicrodollars"),
        ({"costMicrodollars": 1, "serverName": "a/b"}, "serverName"),
        ({"costMicrodollars": 1, "serverName": " "}, "serverName"),
        ({"costMicrodollars": 1, "toolName": ""}, "toolName"),
    ],
)
def test_what_is_set_has_its_rules(owner: Owner, body: dict[str, Any], path: str) -> None:
    refused = owner.set(**body)
    assert (refused.status, refused.json["error"]["details"]["issues"][0]["path"]) == (400, [path])


def nested(levels: int) -> dict[str, Any]:
    """Objects in objects, so many deep."""
    inner: dict[str, Any] = {}
    for _ in range(levels - 1):
        inner = {"x": inner}
    return inner


@pytest.mark.parametrize(
    ("tools", "path"),
    [
        ([], ["tools"]),
        ([SEARCH] * 2, ["tools"]),
        ([SEARCH, {**SEARCH, "name": " search"}], ["tools"]),
        ([{"name": f"t{n}", "tierCost": 0} for n in range(501)], ["tools"]),
        ([{"name": "t"}], ["tools", 0, "tierCost"]),
        ([{"name": " ", "tierCost": 0}], ["tools", 0, "name"]),
        ([{**SEARCH, "suggestedCost": None}], ["tools", 0, "suggestedCost"]),
        ([{**SEARCH, "suggestedCost": -1}], ["tools", 0, "suggestedCost"]),
        ([SEARCH, {"name": "u", "tierCost": 0, "annotations": nested(11)}], ["tools", 1, "annotations"]),
        ([{**SEARCH, "annotations": []}], ["tools", 0, "annotations"]),
    ],
)
def test_a_discovery_has_its_rules_and_stores_nothing_when_one_is_broken(
    owner: Owner, tools: list[Any], path: list[Any]
) -> None:
    refused = owner.discover(tools)
    assert (refused.status, refused.json["error"]["code"]) == (400, "validation_error")
    assert refused.json["error"]["details"]["issues"][0]["path"] == path
    assert owner.tools() == []
    assert owner.discover([SEARCH], server="a/b").status == 400


def test_five_hundred_tools_and_ten_levels_are_taken(owner: Owner) -> None:
    tools = [{"name": f"t{n}", "tierCost": n, "annotations": nested(10)} for n in range(500)]
    assert owner.discover(tools).json == {"registered": 500}
    assert len(owner.tools()) == 500


def test_a_repeat_with_the_same_idempotency_key_replays(owner: Owner) -> None:
    first = owner.discover([SEARCH], Idempotency_Key="once")
    owner.set(costMicrodollars=5)
    again = owner.discover([{**SEARCH, "name": "other"}], Idempotency_Key="once")
    assert (first.status, again.status, again.json) == (201, 200, {"registered": 1})
    assert again.headers["x-idempotent-replayed"] == "true"
    assert [tool["toolName"] for tool in owner.tools()] == ["search"]


def test_tools_of_another_org_are_nobodys(town: Daemon, owner: Owner) -> None:
    owner.discover([SEARCH])
    (mine,) = owner.tools()
    other = Owner(town)
    assert other.discover([{**SEARCH, "tierCost": 1}]).status == 201, "unique in one organization only"
    assert owner.tools() == [mine]
    foreign = other.person.call("DELETE", f"/api/tool-costs/{mine['id']}")
    absent = other.person.call("DELETE", f"/api/tool-costs/ns_tc_{MISSING}")
    assert (foreign.status, foreign.json) == (absent.status, absent.json)
    assert (absent.status, absent.json["error"]["code"]) == (404, "not_found")
    assert other.person.call("DELETE", f"/api/tool-costs/{mine['id'][6:]}").status == 400
