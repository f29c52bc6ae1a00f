"""Deliveries are made from the log, many at once: reporting a cost does not grow with the number of endpoints."""

SQL = """
-- 1 until the deliveries of an event have been made; set in the event's own transaction.
ALTER TABLE outbox ADD COLUMN wanted INTEGER NOT NULL DEFAULT 0 CHECK (wanted IN (0, 1));
-- The oldest events whose deliveries are still to be made: a few, or none.
CREATE INDEX outbox_wanted ON outbox (seq) WHERE wanted = 1;
"""
