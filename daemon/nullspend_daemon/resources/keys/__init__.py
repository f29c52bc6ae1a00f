"""API keys: core 2."""
