"""The first tables: people, keys, budgets, cost events, and the records every change leaves."""

SQL = """
-- Small facts of this daemon itself: the owner's id, the test clock's offset.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,      -- stored lower-case
    name TEXT,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE orgs (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    slug TEXT NOT NULL UNIQUE,
    is_personal INTEGER NOT NULL CHECK (is_personal IN (0, 1)),
    created_by TEXT NOT NULL,        -- no reference: the org outlives its creator's membership
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
-- At most one personal org a person, also when two first requests race.
CREATE UNIQUE INDEX orgs_personal ON orgs (created_by) WHERE is_personal = 1;

CREATE TABLE memberships (
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'member', 'admin', 'owner')),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_user ON memberships (user_id);
-- Exactly one owner an org: the upper half of the rule; the lower half is that only a transfer changes it.
CREATE UNIQUE INDEX memberships_owner ON memberships (org_id) WHERE role = 'owner';

CREATE TABLE sessions (
    token_hash TEXT PRIMARY KEY,     -- SHA-256 hex; the token itself is never stored
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    is_owner INTEGER NOT NULL CHECK (is_owner IN (0, 1)),  -- the state file's session, which a revoke-all spares
    created_at INTEGER NOT NULL,
    renewed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE subscriptions (
    org_id TEXT PRIMARY KEY REFERENCES orgs (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    tier TEXT NOT NULL CHECK (tier IN ('free', 'pro', 'enterprise')),
    status TEXT NOT NULL,
    current_period_start INTEGER,
    current_period_end INTEGER,
    cancel_at_period_end INTEGER NOT NULL DEFAULT 0 CHECK (cancel_at_period_end IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    key_hash TEXT NOT NULL UNIQUE,   -- SHA-256 hex of the raw key
    key_prefix TEXT NOT NULL,
    default_tags TEXT NOT NULL,
    allowed_models TEXT,             -- NULL: unrestricted; []: nothing allowed
    allowed_providers TEXT,
    api_version TEXT NOT NULL,
    last_used_at INTEGER,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
-- The list shows live keys only; revoked ones stay for the names of their events.
CREATE INDEX api_keys_live ON api_keys (org_id, created_at, id) WHERE revoked_at IS NULL;
CREATE INDEX api_keys_owner ON api_keys (user_id, org_id) WHERE revoked_at IS NULL;

CREATE TABLE budgets (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    entity_type TEXT NOT NULL CHECK (entity_type IN ('user', 'api_key', 'tag', 'customer')),
    entity_id TEXT NOT NULL,         -- ns_usr_..., ns_key_..., key=value, or the customer's own id
    max_microdollars INTEGER NOT NULL CHECK (max_microdollars > 0),
    spend_microdollars INTEGER NOT NULL DEFAULT 0 CHECK (spend_microdollars >= 0),
    policy TEXT NOT NULL CHECK (policy IN ('strict_block', 'soft_block', 'warn')),
    reset_interval TEXT CHECK (reset_interval IN ('daily', 'weekly', 'monthly', 'yearly')),
    period_start INTEGER,
    thresholds TEXT NOT NULL,
    velocity_limit_microdollars INTEGER CHECK (velocity_limit_microdollars > 0),
    velocity_window_seconds INTEGER NOT NULL,
    velocity_cooldown_seconds INTEGER NOT NULL,
    session_limit_microdollars INTEGER CHECK (session_limit_microdollars > 0),
    reserve_microdollars INTEGER NOT NULL DEFAULT 0 CHECK (reserve_microdollars >= 0),
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    -- One budget an entity; also how a charge finds the budgets that match it.
    UNIQUE (org_id, entity_type, entity_id)
) STRICT;

CREATE TABLE cost_events (
    seq INTEGER PRIMARY KEY,         -- keeps the secondary indexes small
    id TEXT NOT NULL UNIQUE,
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,
    api_key_id TEXT REFERENCES api_keys (id),
    request_id TEXT NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_input_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    cost_microdollars INTEGER NOT NULL CHECK (cost_microdollars >= 0),
    cost_breakdown TEXT,
    duration_ms INTEGER,
    source TEXT NOT NULL CHECK (source IN ('proxy', 'api', 'mcp', 'sdk')),
    event_type TEXT NOT NULL CHECK (event_type IN ('llm', 'tool', 'custom')),
    trace_id TEXT,
    session_id TEXT,
    customer_id TEXT,                -- the resolved customer
    tags TEXT NOT NULL,
    tool_name TEXT,
    tool_server TEXT,
    budget_status TEXT CHECK (budget_status IN ('skipped', 'approved', 'denied')),
    stop_reason TEXT,
    estimated_cost_microdollars INTEGER,
    created_at INTEGER NOT NULL,
    -- A retried report is one event.
    UNIQUE (org_id, request_id, provider)
) STRICT;
-- The newest-first list and its cursor.
CREATE INDEX cost_events_newest ON cost_events (org_id, created_at, id);
CREATE INDEX cost_events_session ON cost_events (org_id, session_id, created_at, id) WHERE session_id IS NOT NULL;
CREATE INDEX cost_events_trace ON cost_events (org_id, trace_id, created_at) WHERE trace_id IS NOT NULL;
CREATE INDEX cost_events_customer ON cost_events (org_id, customer_id, created_at, id) WHERE customer_id IS NOT NULL;

-- One row a tag, so that a filter on a rare tag does not read every event.
CREATE TABLE cost_event_tags (
    org_id TEXT NOT NULL,
    tag_key TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    event_seq INTEGER NOT NULL REFERENCES cost_events (seq) ON DELETE CASCADE,
    PRIMARY KEY (org_id, tag_key, tag_value, event_seq)
) STRICT, WITHOUT ROWID;
-- The foreign key's own index: deleting an event must not scan all tags.
CREATE INDEX cost_event_tags_event ON cost_event_tags (event_seq);

-- The running sum of a session, kept in the event's own transaction.
CREATE TABLE cost_sessions (
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    session_id TEXT NOT NULL,
    event_count INTEGER NOT NULL,
    cost_microdollars INTEGER NOT NULL,
    first_event_at INTEGER NOT NULL,
    last_event_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, session_id)
) STRICT, WITHOUT ROWID;

-- Replies to POSTs with an idempotency key: stored with their effect, replayed for 24 hours.
CREATE TABLE idempotent_replies (
    api_key_id TEXT NOT NULL,
    path TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (api_key_id, path, idempotency_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotent_replies_age ON idempotent_replies (created_at);

-- Everything the world should hear of, in the transaction of its cause. AUTOINCREMENT: a number is never used twice,
-- so a listener that resumes after number N misses nothing and sees nothing again.
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,                -- evt_...
    org_id TEXT NOT NULL,
    type TEXT NOT NULL,
    object TEXT NOT NULL,            -- data.object of the webhook envelope
    created_at INTEGER NOT NULL
) STRICT;

-- No reference to orgs: the row about an org's deletion outlives the org.
CREATE TABLE audit_log (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    action TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT,
    metadata TEXT,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_log_newest ON audit_log (org_id, created_at, id);
"""
