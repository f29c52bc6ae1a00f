"""How a cost came about: kept with the event, since rates change and the event does not."""

SQL = """
-- JSON {"source", "lines": [{"class", "tokens", "rate", "tier"}]}. NULL: the client gave the cost.
ALTER TABLE cost_events ADD COLUMN explanation TEXT;
"""
