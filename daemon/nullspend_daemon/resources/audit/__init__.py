"""The audit log: orgs 4."""
