"""A customer's calls to one model, found without reading all of the customer's rows."""

SQL = """
DROP INDEX cost_events_customer;
CREATE INDEX cost_events_customer ON cost_events (org_id, customer_id, created_at, id, model)
    WHERE customer_id IS NOT NULL;
"""
