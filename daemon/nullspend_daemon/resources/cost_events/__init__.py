"""Cost events: core 5."""
