"""What a call of a tool costs: orgs 5."""
