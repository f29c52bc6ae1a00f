"""The enforcing engine's state: what calls in flight hold, how fast a budget is spent, what a session has spent."""

SQL = """
-- A call between its check and its end, or a reservation of an MCP proxy. There is no sum of holds anywhere: what is
-- reserved is always added up from the live rows, so that it cannot drift.
CREATE TABLE holds (
    id TEXT PRIMARY KEY,             -- bare UUID: a reservation's id is shown to its client
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    amount_microdollars INTEGER NOT NULL CHECK (amount_microdollars >= 0),
    session_id TEXT,
    expires_at INTEGER NOT NULL,     -- 2^53-1 for a call, whose hold lives as long as it does
    draft TEXT,                      -- a call's event as JSON, were the daemon to die now; NULL for a reservation
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The budgets that a hold counts against. Amount, session and expiry are repeated, so that a check reads one index.
CREATE TABLE hold_entities (
    hold_id TEXT NOT NULL REFERENCES holds (id) ON DELETE CASCADE,
    budget_id TEXT NOT NULL REFERENCES budgets (id) ON DELETE CASCADE,
    amount_microdollars INTEGER NOT NULL CHECK (amount_microdollars >= 0),
    session_id TEXT,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (hold_id, budget_id)
) STRICT, WITHOUT ROWID;
-- What is reserved of a budget, expired reservations skipped; also the foreign key's own index.
CREATE INDEX hold_entities_live ON hold_entities (budget_id, expires_at, session_id, amount_microdollars);

-- How fast a budget is spent. The window's length is the budget's own; changing it zeroes the counters.
CREATE TABLE budget_velocity (
    budget_id TEXT PRIMARY KEY REFERENCES budgets (id) ON DELETE CASCADE,
    window_start INTEGER NOT NULL,
    current_count INTEGER NOT NULL CHECK (current_count >= 0),
    current_microdollars INTEGER NOT NULL CHECK (current_microdollars >= 0),
    previous_count INTEGER NOT NULL CHECK (previous_count >= 0),
    previous_microdollars INTEGER NOT NULL CHECK (previous_microdollars >= 0),
    tripped_at INTEGER,              -- NULL: the breaker is closed
    tripped_microdollars INTEGER NOT NULL DEFAULT 0  -- what denials during the cooldown show
) STRICT, WITHOUT ROWID;

-- What settled calls of a session have spent of a budget; what they hold is added up from the live holds.
CREATE TABLE budget_sessions (
    budget_id TEXT NOT NULL REFERENCES budgets (id) ON DELETE CASCADE,
    session_id TEXT NOT NULL,
    spend_microdollars INTEGER NOT NULL CHECK (spend_microdollars >= 0),
    last_charged_at INTEGER NOT NULL,
    PRIMARY KEY (budget_id, session_id)
) STRICT, WITHOUT ROWID;
-- Idle sessions are dropped after a day.
CREATE INDEX budget_sessions_idle ON budget_sessions (last_charged_at);

-- Counts a budget's periods and resets. An event says in which one it was charged, so that a budget's spend can be
-- added up again, and a late correction leaves a newer period alone.
ALTER TABLE budgets ADD COLUMN period_number INTEGER NOT NULL DEFAULT 0;
-- The part of the current period's spend whose events retention has deleted.
ALTER TABLE budgets ADD COLUMN carried_microdollars INTEGER NOT NULL DEFAULT 0 CHECK (carried_microdollars >= 0);
-- JSON {budget id: its period number} of the budgets an event was charged to.
ALTER TABLE cost_events ADD COLUMN charged TEXT;
-- The provider's id of a background reply whose usage is still to come; NULL once the event has been corrected.
ALTER TABLE cost_events ADD COLUMN awaited_reply TEXT;
CREATE INDEX cost_events_awaited ON cost_events (org_id, awaited_reply) WHERE awaited_reply IS NOT NULL;
"""
