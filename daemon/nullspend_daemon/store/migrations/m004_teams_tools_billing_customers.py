"""Teams and money in: invitations, upgrade URLs, tool costs, the billing simulator, Stripe connections and revenue."""

SQL = """
-- What a denied caller is shown: the org's own page, and one for a customer.
ALTER TABLE orgs ADD COLUMN upgrade_url TEXT;

CREATE TABLE customer_settings (
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    customer_id TEXT NOT NULL,
    upgrade_url TEXT,
    PRIMARY KEY (org_id, customer_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE invitations (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    email TEXT NOT NULL,             -- stored lower-case
    role TEXT NOT NULL CHECK (role IN ('viewer', 'member', 'admin')),
    status TEXT NOT NULL CHECK (status IN ('pending', 'accepted', 'declined', 'revoked', 'expired')),
    invited_by TEXT NOT NULL,
    token_hash TEXT NOT NULL UNIQUE, -- SHA-256 hex; the token itself is shown once and never stored
    token_prefix TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    accepted_by TEXT,
    accepted_at INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
-- One open invitation an email; also the list and the count of seats.
CREATE UNIQUE INDEX invitations_pending ON invitations (org_id, email) WHERE status = 'pending';
-- The foreign key's own index: deleting an org must not scan everybody's invitations.
CREATE INDEX invitations_org ON invitations (org_id);

CREATE TABLE tool_costs (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL,           -- whose key discovered it
    server_name TEXT NOT NULL,
    tool_name TEXT NOT NULL,
    cost_microdollars INTEGER NOT NULL CHECK (cost_microdollars >= 0),
    suggested_microdollars INTEGER NOT NULL CHECK (suggested_microdollars >= 0),
    source TEXT NOT NULL CHECK (source IN ('discovered', 'manual')),
    description TEXT,
    annotations TEXT,
    last_seen_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (org_id, server_name, tool_name)
) STRICT;

-- Which subscription of Stripe, or of the simulator, a row stands for; NULL when it was set by hand.
ALTER TABLE subscriptions ADD COLUMN stripe_customer_id TEXT;
ALTER TABLE subscriptions ADD COLUMN stripe_subscription_id TEXT;
-- How an event of Stripe finds its org.
CREATE UNIQUE INDEX subscriptions_stripe ON subscriptions (stripe_subscription_id)
    WHERE stripe_subscription_id IS NOT NULL;

-- The simulator's checkout and portal sessions.
CREATE TABLE billing_sessions (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('checkout', 'portal')),
    token_hash TEXT NOT NULL,        -- of the token in the page's URL
    tier TEXT CHECK (tier IN ('pro', 'enterprise')),  -- what a checkout buys
    state TEXT NOT NULL CHECK (state IN ('open', 'complete')),
    step INTEGER NOT NULL DEFAULT 0, -- counts submitted forms, so that each form's token is good once
    stripe_customer_id TEXT,
    stripe_subscription_id TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX billing_sessions_org ON billing_sessions (org_id);

-- The org's own Stripe account, whose invoices are its revenue. The key is AES-256-GCM, nonce first, org id as AAD.
CREATE TABLE stripe_connections (
    org_id TEXT PRIMARY KEY REFERENCES orgs (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    sealed_key BLOB NOT NULL,
    key_prefix TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'error', 'revoked')),
    last_sync_at INTEGER,
    last_try_at INTEGER,             -- also of a sync that failed: the next one is due two hours later
    last_error TEXT,
    skipped_currencies TEXT,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE stripe_customers (
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    stripe_customer_id TEXT NOT NULL,
    name TEXT,
    email TEXT,
    PRIMARY KEY (org_id, stripe_customer_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE customer_revenue (
    org_id TEXT NOT NULL,
    stripe_customer_id TEXT NOT NULL,
    period TEXT NOT NULL,            -- YYYY-MM, UTC
    amount_microdollars INTEGER NOT NULL,
    PRIMARY KEY (org_id, stripe_customer_id, period),
    FOREIGN KEY (org_id, stripe_customer_id)
        REFERENCES stripe_customers (org_id, stripe_customer_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE customer_mappings (
    id TEXT PRIMARY KEY,
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    stripe_customer_id TEXT NOT NULL,
    tag_key TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    match_type TEXT NOT NULL CHECK (match_type IN ('auto', 'manual')),
    confidence REAL,
    created_at INTEGER NOT NULL,
    UNIQUE (org_id, stripe_customer_id, tag_key),
    UNIQUE (org_id, tag_key, tag_value)
) STRICT;

-- Crossings that were told already: each customer, month and tier once.
CREATE TABLE margin_alerts (
    org_id TEXT NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    tag_value TEXT NOT NULL,
    period TEXT NOT NULL,
    tier TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, tag_value, period, tier)
) STRICT, WITHOUT ROWID;

-- The audit list filtered by a rare action.
CREATE INDEX audit_log_action ON audit_log (org_id, action, created_at, id);
"""
