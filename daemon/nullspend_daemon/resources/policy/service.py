"""What an agent may still spend, and on which models: read before it acts."""

from collections.abc import Callable
from typing import Any

from nullspend_daemon.contract.clock import to_iso
from nullspend_daemon.http.route import Call, Record, Reply
from nullspend_daemon.ledger import budgets
from nullspend_daemon.ledger.budgets import Budget
from nullspend_daemon.ledger.periods import period_end
from nullspend_daemon.pricing.catalogue import Catalogue
from nullspend_daemon.pricing.cheapest import cheapest_overall, cheapest_per_provider
from nullspend_daemon.pricing.rates import Price
from nullspend_daemon.store.identity import KeyIdentity
from nullspend_daemon.store.transaction import Tx

Reserved = Callable[[Budget], int]
"""What live holds reserve of a budget, microdollars."""


def get_policy(tx: Tx, call: Call[None, None]) -> Reply:
    """Show what a key may do: its tightest budget that denies, its allow-lists, the cheapest models."""
    key, catalogue = call.caller.api_key, call.parts.catalogue
    return Reply(200, policy_of(tx, key, catalogue), {"Cache-Control": "no-store"})


def policy_of(tx: Tx, key: KeyIdentity, catalogue: Catalogue, reserved: Reserved | None = None) -> Record:
    """The policy of a key. With `reserved` as the proxy shows it, without as the API does."""
    return {**budget_part(tx, key, reserved), **model_part(key, catalogue)}


def budget_part(tx: Tx, key: KeyIdentity, reserved: Reserved | None = None) -> Record:
    """`budget` and `session_limit_microdollars`, over the budgets that surely count and deny.

    With `reserved` holds are subtracted. Without, a period that is over ends one interval from now.
    """
    candidates = _candidates(tx, key)
    shown = [_shown(budget, tx.now_ms, reserved) for budget in candidates]
    limits = [budget.session_limit for budget in candidates if budget.session_limit is not None]
    return {
        "budget": min(shown, key=lambda budget: budget["remaining_microdollars"], default=None),
        "session_limit_microdollars": min(limits, default=None),
    }


def model_part(key: KeyIdentity, catalogue: Catalogue) -> Record:
    """The allow-lists, and the cheapest models they leave."""
    per_provider = cheapest_per_provider(catalogue, key.allowed_models, key.allowed_providers)
    overall = cheapest_overall(per_provider)
    return {
        "allowed_models": key.allowed_models,
        "allowed_providers": key.allowed_providers,
        "cheapest_per_provider": {name: _choice(price) for name, price in per_provider.items()} or None,
        "cheapest_overall": None if overall is None else {**_choice(overall), "provider": overall.provider},
        "restrictions_active": key.allowed_models is not None or key.allowed_providers is not None,
    }


def _candidates(tx: Tx, key: KeyIdentity) -> list[Budget]:
    """The strict budgets of the key's owner, of the key and of its default tags, in (type, id) order."""
    entities = budgets.matching_entities(key.user_id, key.key_id, key.default_tags, None)
    found = [budgets.find(tx, key.org_id, entity) for entity in entities]
    return [budget for budget in found if budget is not None and budget.policy == "strict_block"]


def _shown(stored: Budget, now_ms: int, reserved: Reserved | None) -> dict[str, Any]:
    budget = stored.at(now_ms)
    held = 0 if reserved is None else reserved(budget)
    lapsed = budget is not stored
    start = now_ms if lapsed and reserved is None else budget.period_start
    ends = None if budget.interval is None or start is None else period_end(start, budget.interval)
    return {
        "remaining_microdollars": max(0, budget.remaining - held),
        "max_microdollars": budget.limit,
        "spend_microdollars": budget.spend,
        "period_end": None if ends is None else to_iso(ends),
        "entity_type": budget.entity_type,
        "entity_id": budget.entity_id,
        "finalization_reserve_microdollars": budget.reserve,
        "policy": budget.policy,
    }


def _choice(price: Price) -> dict[str, Any]:
    return {
        "model": price.model,
        "input_per_mtok": float(price.base.of("input")),
        "output_per_mtok": float(price.base.of("output")),
    }
