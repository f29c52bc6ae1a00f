"""Slack: orgs 6. Where an organization hears of things, and buttons that decide."""
