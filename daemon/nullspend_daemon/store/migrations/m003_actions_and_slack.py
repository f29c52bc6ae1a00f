"""Actions that wait for a person's decision, what they cost, and where Slack hears of them."""

SQL = """
CREATE TABLE actions (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    api_key_id TEXT NOT NULL,        -- who asked; any key of the org may read and report
    agent_id TEXT NOT NULL,
    action_type TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN
        ('pending', 'approved', 'rejected', 'expired', 'executing', 'executed', 'failed')),
    payload TEXT NOT NULL,
    metadata TEXT,
    environment TEXT,
    source_framework TEXT,
    result TEXT,
    error_message TEXT,
    approved_by TEXT,                -- ns_usr_..., or the name Slack gives whoever pressed the button
    rejected_by TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,              -- NULL: waits for ever
    approved_at INTEGER,
    rejected_at INTEGER,
    expired_at INTEGER,
    executed_at INTEGER,
    slack_thread TEXT                -- the ts of the message that later ones answer
) STRICT;
-- The newest-first list and its cursor, and the same for one status: the queue of what is pending.
CREATE INDEX actions_newest ON actions (org_id, created_at, id);
CREATE INDEX actions_status ON actions (org_id, status, created_at, id);
-- What is due, across all orgs, without reading decided actions.
CREATE INDEX actions_due ON actions (expires_at) WHERE status = 'pending' AND expires_at IS NOT NULL;

-- No reference to actions: a call may name an action of its own making, and its spend counts all the same.
ALTER TABLE cost_events ADD COLUMN action_id TEXT;
CREATE INDEX cost_events_action ON cost_events (org_id, action_id, created_at, id) WHERE action_id IS NOT NULL;

CREATE TABLE slack_configs (
    org_id TEXT PRIMARY KEY REFERENCES orgs (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    webhook_url TEXT NOT NULL,       -- a secret: whoever holds it can post; replies show it masked
    channel_name TEXT,
    slack_user_id TEXT,              -- only this person may press the buttons
    is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What Slack still has to be told: written with its cause, gone once sent or given up.
CREATE TABLE slack_messages (
    seq INTEGER PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    event_seq INTEGER,               -- the outbox event it tells of; NULL: a reply in an action's thread
    action_id TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL
) STRICT;
CREATE INDEX slack_messages_due ON slack_messages (due_at);
CREATE INDEX slack_messages_org ON slack_messages (org_id);
"""
