"""Roll-ups: what events add up to, kept in the event's own transaction so that reading them does not grow with time."""

SQL = """
-- One row a UTC day and combination of what a summary groups by. `estimated` splits off events tagged _ns_estimated,
-- so that a summary without them is the same read. Sums stop at 2^53-1.
CREATE TABLE cost_days (
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    day INTEGER NOT NULL,            -- days since the epoch, UTC
    estimated INTEGER NOT NULL CHECK (estimated IN (0, 1)),
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    api_key_id TEXT NOT NULL,        -- '' for an event without a key
    source TEXT NOT NULL,
    is_tool INTEGER NOT NULL CHECK (is_tool IN (0, 1)),
    requests INTEGER NOT NULL,
    cost_microdollars INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_input_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    timed_requests INTEGER NOT NULL, -- those with a duration: the divisor of the average
    duration_ms INTEGER NOT NULL,
    input_cost INTEGER NOT NULL,
    output_cost INTEGER NOT NULL,
    cached_cost INTEGER NOT NULL,
    reasoning_cost INTEGER NOT NULL,
    PRIMARY KEY (org_id, day, estimated, provider, model, api_key_id, source, is_tool)
) STRICT, WITHOUT ROWID;

-- The same for labels: `tag:<key>` with the tag's value, and `customer` with the resolved customer.
CREATE TABLE cost_label_days (
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    label TEXT NOT NULL,
    value TEXT NOT NULL,
    day INTEGER NOT NULL,
    estimated INTEGER NOT NULL CHECK (estimated IN (0, 1)),
    model TEXT NOT NULL,
    source TEXT NOT NULL,
    requests INTEGER NOT NULL,
    cost_microdollars INTEGER NOT NULL,
    PRIMARY KEY (org_id, label, value, day, estimated, model, source)
) STRICT, WITHOUT ROWID;

-- The same without model and source, the day before the value: an attribution reads its days and nothing else, however
-- many models a customer uses.
CREATE TABLE cost_label_totals (
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    label TEXT NOT NULL,
    day INTEGER NOT NULL,
    value TEXT NOT NULL,
    estimated INTEGER NOT NULL CHECK (estimated IN (0, 1)),
    requests INTEGER NOT NULL,
    cost_microdollars INTEGER NOT NULL,
    PRIMARY KEY (org_id, label, day, value, estimated)
) STRICT, WITHOUT ROWID;

-- The newest-first list filtered by what may be rare; created_at and id make the filtered rows come in list order.
CREATE INDEX cost_events_model ON cost_events (org_id, model, created_at, id);
CREATE INDEX cost_events_key ON cost_events (org_id, api_key_id, created_at, id) WHERE api_key_id IS NOT NULL;
CREATE INDEX cost_events_status ON cost_events (org_id, budget_status, created_at, id) WHERE budget_status IS NOT NULL;

-- When a tag key was last seen: the list of recent keys without reading their values.
CREATE TABLE cost_tag_keys (
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    tag_key TEXT NOT NULL,
    last_day INTEGER NOT NULL,
    PRIMARY KEY (org_id, tag_key)
) STRICT, WITHOUT ROWID;

-- A trace's whole cost is the most it can have cost in any window: the dearest traces are found from the top.
CREATE TABLE cost_traces (
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    trace_id TEXT NOT NULL,
    requests INTEGER NOT NULL,
    cost_microdollars INTEGER NOT NULL,
    first_day INTEGER NOT NULL,
    last_day INTEGER NOT NULL,
    estimated_requests INTEGER NOT NULL,
    PRIMARY KEY (org_id, trace_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX cost_traces_dearest ON cost_traces (org_id, cost_microdollars, trace_id);

-- The list of sessions, the latest first.
CREATE INDEX cost_sessions_latest ON cost_sessions (org_id, last_event_at, session_id);

-- Captured bodies, apart from the events: they are large, off by default, and go after some days.
CREATE TABLE event_bodies (
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    request_id TEXT NOT NULL,
    request TEXT,
    response TEXT,
    is_stream INTEGER NOT NULL CHECK (is_stream IN (0, 1)),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, request_id)
) STRICT;
CREATE INDEX event_bodies_age ON event_bodies (created_at);
"""
