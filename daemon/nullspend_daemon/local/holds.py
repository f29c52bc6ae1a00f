"""/_local/holds: what calls in flight keep of the budgets, in every organization."""

from nullspend_daemon.http.caller import ADMIN
from nullspend_daemon.http.route import Call, Record, Route
from nullspend_daemon.ledger.matching import held_by_entity
from nullspend_daemon.local.models import HoldList
from nullspend_daemon.store.transaction import Tx


def list_holds(tx: Tx, call: Call[None, None]) -> Record:
    """List what live holds reserve of each budget; budgets of which nothing is held are left out."""
    return {
        "data": [
            {
                "entityType": row["entity_type"],
                "entityId": row["entity_id"],
                "reservedMicrodollars": row["reserved"],
                "holds": row["holds"],
                "orgId": row["org_id"],
            }
            for row in held_by_entity(tx)
        ]
    }


ROUTES = [Route(method="GET", path="/_local/holds", auth=ADMIN, reply=HoldList, reads=list_holds)]
