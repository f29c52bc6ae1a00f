"""What an MCP proxy reports: reservations end, late ones too, and a batch crosses a threshold once."""

from nullspend_daemon.ledger.events import Stored
from nullspend_daemon.ledger.tool_calls import ToolCall, settle_tool_calls
from tests.daemon.ledger.ground import START_MS, Ground

RESERVED = {"provider": "mcp", "model": "github/search", "expires_at": START_MS + 30_000}


def report(ground: Ground, *calls: tuple[int, str | None], session_id: str | None = None) -> list[Stored]:
    """Reports calls of (cost, reservation)."""
    more = {"provider": "mcp", "model": "github/search", "source": "mcp", "event_type": "tool"}
    told = [ToolCall(ground.event(cost, session_id=session_id, **more), reservation) for cost, reservation in calls]
    return ground.database.write(lambda tx: settle_tool_calls(tx, ground.org, told))


def test_each_reservation_is_settled_once(ground: Ground) -> None:
    user = ground.budget("user", maximum=100)
    first, second = ground.hold(30, **RESERVED), ground.hold(40, **RESERVED)
    report(ground, (30, first), (10, second))
    assert ground.spend(user) == 40
    report(ground, (30, first), (10, second))
    assert ground.spend(user) == 40
    assert len(ground.rows("SELECT * FROM cost_events")) == 4
    ground.hold(60)


def test_an_expired_reservation_is_charged_to_budget_and_session(ground: Ground) -> None:
    user = ground.budget("user", maximum=100)
    late = ground.hold(30, session_id="s", **RESERVED)
    ground.clock.advance(600_000)
    report(ground, (30, late), session_id="s")
    assert ground.spend(user) == 30
    assert ground.rows("SELECT spend_microdollars FROM budget_sessions")[0][0] == 30


def test_a_call_without_a_reservation_is_charged_like_reported_spend(ground: Ground) -> None:
    user, key = ground.budget("user", maximum=100), ground.budget("api_key", maximum=100)
    report(ground, (30, None))
    assert (ground.spend(user), ground.spend(key)) == (30, 30)


def test_the_hold_of_a_call_is_not_ended_by_a_report(ground: Ground) -> None:
    user = ground.budget("user", maximum=100)
    call = ground.hold(100)
    report(ground, (30, call))
    assert ground.spend(user) == 0
    ground.denied(1)


def test_a_reservation_of_another_organization_is_left_alone(ground: Ground) -> None:
    ground.budget("user", maximum=100)
    held = ground.hold(100, **RESERVED)
    told = [ToolCall(ground.event(5), held)]
    columns = "id, name, slug, is_personal, created_by, created_at, updated_at"
    sql = f"INSERT INTO orgs ({columns}) VALUES ('other', 'O', 'o', 0, 'x', 0, 0)"
    ground.database.write(lambda tx: tx.execute(sql))
    told[0].event.org_id, told[0].event.api_key_id = "other", None
    ground.database.write(lambda tx: settle_tool_calls(tx, "other", told))
    ground.denied(1)


def test_thresholds_see_the_whole_batch_and_name_its_first_event(ground: Ground) -> None:
    ground.budget("user", maximum=100, thresholdPercentages=[50, 80])
    calls = [(30, ground.hold(30, **RESERVED)) for _ in range(3)]
    stored = report(ground, *calls)
    crossed = ground.told("budget.threshold.warning")
    assert [(data["threshold_percent"], data["budget_spend_microdollars"]) for _, data in crossed] == [
        (50, 90),
        (80, 90),
    ]
    assert {data["triggered_by_request_id"] for _, data in crossed} == {stored[0].request_id}
