"""GET /v1/policy: what a key may still spend, holds subtracted. Without the engine the rest is still answered."""

import logging

from nullspend_daemon.errors import NullSpendError
from nullspend_daemon.http.parts import Parts
from nullspend_daemon.http.route import Record
from nullspend_daemon.ledger.matching import reserved_of
from nullspend_daemon.resources.policy.service import budget_part, model_part
from nullspend_daemon.store.identity import KeyIdentity
from nullspend_daemon.store.transaction import Tx

log = logging.getLogger(__name__)
_UNKNOWN: Record = {"budget": None, "session_limit_microdollars": None}


async def read_policy(parts: Parts, key: KeyIdentity) -> Record:
    """The policy of a key; `budget` is null when the engine cannot say."""
    try:
        budget = await parts.store.read(lambda tx: _budget(tx, key))
    except NullSpendError as error:
        log.warning("the policy shows no budget: %s", error.message)
        budget = _UNKNOWN
    return {**budget, **model_part(key, parts.catalogue)}


def _budget(tx: Tx, key: KeyIdentity) -> Record:
    return budget_part(tx, key, lambda budget: reserved_of(tx, budget.id))
