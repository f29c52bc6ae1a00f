"""Realistic content for every event of the catalogue: what a receiver would get, made of what the organization has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.contract.ids import Kind, new_id
from nullspend_daemon.store.transaction import Tx

Content = dict[str, Any]
HOUR_MS = 3_600_000
_MODEL = {"model": "gpt-4o", "provider": "openai"}
_PAYLOAD = {"to": "customer@example.com", "subject": "Your invoice", "body": "Please find it attached."}


@dataclass(frozen=True, slots=True)
class _Scene:
    """Who and when: a live key of the organization, its owner, and the moment."""

    key_id: str
    user_id: str
    now_ms: int

    @property
    def now(self) -> str:
        return to_iso(self.now_ms)

    def new(self, kind: Kind) -> str:
        return new_id(kind, self.now_ms)


def sample(tx: Tx, org_id: str, event_type: str) -> Content:
    """`data.object` of an event of `event_type`, which is one of the catalogue."""
    key = tx.one(
        "SELECT id, user_id FROM api_keys WHERE org_id = ? AND revoked_at IS NULL ORDER BY created_at LIMIT 1",
        (org_id,),
    )
    creator = tx.value("SELECT created_by FROM orgs WHERE id = ?", (org_id,))
    key_id, user_id = (key["id"], key["user_id"]) if key else (new_id(Kind.KEY, tx.now_ms), creator)
    return _SAMPLES[event_type](_Scene(key_id, user_id, tx.now_ms))


def _cost_event(scene: _Scene) -> Content:
    return {
        "request_id": f"req_{uuid4().hex}",
        "event_type": "llm",
        **_MODEL,
        "input_tokens": 1_240,
        "output_tokens": 310,
        "cached_input_tokens": 512,
        "cost_microdollars": 5_560,
        "duration_ms": 1_840,
        "upstream_duration_ms": 1_790,
        "session_id": "session-42",
        "trace_id": uuid4().hex,
        "tool_name": None,
        "tool_server": None,
        "tool_calls_requested": [{"name": "search", "id": f"call_{uuid4().hex[:24]}"}],
        "tool_definition_tokens": 0,
        "api_key_id": scene.key_id,
        "source": "proxy",
        "tags": {"team": "research"},
        "created_at": scene.now,
    }


def _of_key(scene: _Scene) -> Content:
    return {"budget_entity_type": "api_key", "budget_entity_id": scene.key_id}


def _threshold(percent: int) -> Callable[[_Scene], Content]:
    limit = 10_000_000
    spend = limit * percent // 100 + 12_000
    return lambda scene: {
        **_of_key(scene),
        "threshold_percent": percent,
        "budget_spend_microdollars": spend,
        "budget_limit_microdollars": limit,
        "budget_remaining_microdollars": limit - spend,
        "triggered_by_request_id": f"req_{uuid4().hex}",
    }


def _blocked(scene: _Scene, entity: Content) -> Content:
    return {
        **entity,
        "budget_limit_microdollars": 10_000_000,
        "budget_spend_microdollars": 9_998_200,
        "estimated_request_cost_microdollars": 14_500,
        **_MODEL,
        "blocked_at": scene.now,
    }


def _increased(scene: _Scene) -> Content:
    return {
        **_of_key(scene),
        "previous_limit_microdollars": 10_000_000,
        "new_limit_microdollars": 15_000_000,
        "increased_by_microdollars": 5_000_000,
        "approved_by": scene.user_id,
        "action_id": scene.new(Kind.ACTION),
    }


def _reset(scene: _Scene) -> Content:
    return {
        **_of_key(scene),
        "budget_limit_microdollars": 10_000_000,
        "previous_spend_microdollars": 7_310_000,
        "new_period_start": scene.now,
        "reset_interval": "monthly",
    }


def _request_blocked(scene: _Scene) -> Content:
    details = {"budget_limit_microdollars": 10_000_000, "budget_spend_microdollars": 9_998_200}
    return {"reason": "budget", **_MODEL, "api_key_id": scene.key_id, "details": details}


def _too_fast(scene: _Scene) -> Content:
    return {
        **_of_key(scene),
        "velocity_limit_microdollars": 2_000_000,
        "velocity_window_seconds": 60,
        "velocity_current_microdollars": 2_140_000,
        "cooldown_seconds": 60,
        **_MODEL,
        "blocked_at": scene.now,
    }


def _recovered(scene: _Scene) -> Content:
    return {
        **_of_key(scene),
        "velocity_limit_microdollars": 2_000_000,
        "velocity_window_seconds": 60,
        "velocity_cooldown_seconds": 60,
        "recovered_at": scene.now,
    }


def _session(scene: _Scene) -> Content:
    return {
        **_of_key(scene),
        "session_id": "session-42",
        "session_spend_microdollars": 4_990_000,
        "session_limit_microdollars": 5_000_000,
        **_MODEL,
        "blocked_at": scene.now,
    }


def _tag(scene: _Scene) -> Content:
    entity = {"budget_entity_type": "tag", "budget_entity_id": "team=research"}
    return {**_blocked(scene, entity), "tag_key": "team", "tag_value": "research"}


def _customer(scene: _Scene) -> Content:
    entity = {"budget_entity_type": "customer", "budget_entity_id": "acme"}
    return {**_blocked(scene, entity), "customer_id": "acme"}


def _margin(scene: _Scene) -> Content:
    return {
        "customer": {"stripeId": "cus_QXyvT2m4K8ab1c", "name": "Acme Corp", "tagValue": "acme"},
        "margin": {"previous": 0.62, "current": 0.18, "previousTier": "healthy", "currentTier": "at_risk"},
        "revenue_microdollars": 250_000_000,
        "cost_microdollars": 205_000_000,
        "period": scene.now[:7],
    }


def _action(scene: _Scene, status: str, **more: Any) -> Content:
    return {
        "action_id": scene.new(Kind.ACTION),
        "action_type": "send_email",
        "agent_id": "support-agent",
        "status": status,
        **more,
    }


def _action_created(scene: _Scene) -> Content:
    expires_at = to_iso(scene.now_ms + HOUR_MS)
    return _action(scene, "pending", payload=_PAYLOAD, created_at=scene.now, expires_at=expires_at)


_SAMPLES: dict[str, Callable[[_Scene], Content]] = {
    "cost_event.created": _cost_event,
    "budget.threshold.warning": _threshold(80),
    "budget.threshold.critical": _threshold(95),
    "budget.exceeded": lambda scene: _blocked(scene, _of_key(scene)),
    "budget.increased": _increased,
    "budget.reset": _reset,
    "request.blocked": _request_blocked,
    "velocity.exceeded": _too_fast,
    "velocity.recovered": _recovered,
    "session.limit_exceeded": _session,
    "tag_budget.exceeded": _tag,
    "customer_budget.exceeded": _customer,
    "margin.threshold_crossed": _margin,
    "action.created": _action_created,
    "action.approved": lambda scene: _action(scene, "approved", approved_by=scene.user_id, approved_at=scene.now),
    "action.rejected": lambda scene: _action(
        scene, "rejected", rejected_by=scene.user_id, rejected_at=scene.now, reason=None
    ),
    "action.expired": lambda scene: _action(scene, "expired", expired_at=scene.now),
    "test.ping": lambda _: {"message": "Test webhook event"},
}
