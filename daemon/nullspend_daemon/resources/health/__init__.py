"""Health and version: orgs 10."""
