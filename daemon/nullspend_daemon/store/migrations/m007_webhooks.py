"""Webhooks: endpoints, and one delivery for each event an endpoint is to hear of."""

SQL = """
CREATE TABLE webhook_endpoints (
    seq INTEGER PRIMARY KEY,         -- keeps the many deliveries and their indexes small
    id TEXT NOT NULL UNIQUE,
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    description TEXT,
    event_types TEXT NOT NULL,       -- []: all
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    api_version TEXT NOT NULL,       -- of the day it was made; its deliveries stay in that form
    payload_mode TEXT NOT NULL CHECK (payload_mode IN ('full', 'thin')),
    secret TEXT NOT NULL,            -- as it is, not hashed: each delivery is signed with it
    previous_secret TEXT,            -- signs as well for a day after a rotation
    rotated_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
-- The list, and the one thing every staged event asks for: who wants to hear of it.
CREATE INDEX webhook_endpoints_org ON webhook_endpoints (org_id, created_at, id);

CREATE TABLE webhook_deliveries (
    seq INTEGER PRIMARY KEY,         -- ascends with created_at: the oldest are found without an index of their own
    id TEXT NOT NULL UNIQUE,
    endpoint_seq INTEGER NOT NULL REFERENCES webhook_endpoints (seq) ON DELETE CASCADE,
    event_seq INTEGER NOT NULL REFERENCES outbox (seq) ON DELETE CASCADE,
    status TEXT NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER,                  -- when to try next; NULL once nothing is tried any more
    last_attempt_at INTEGER,
    response_status INTEGER,
    created_at INTEGER NOT NULL,
    CHECK ((status = 'pending') = (due_at IS NOT NULL))
) STRICT;
-- The newest of an endpoint, and the foreign key's own index.
CREATE INDEX webhook_deliveries_endpoint ON webhook_deliveries (endpoint_seq, seq);
-- What is to be sent now, and when there is something next, endpoint by endpoint.
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_seq, due_at) WHERE due_at IS NOT NULL;
-- The foreign key's own index; also the oldest event that the log must still hold.
CREATE INDEX webhook_deliveries_event ON webhook_deliveries (event_seq);

-- An event that is sent once more on request: listeners who ask for it hear it again, figures are not made from it.
ALTER TABLE outbox ADD COLUMN resent INTEGER NOT NULL DEFAULT 0 CHECK (resent IN (0, 1));
"""
