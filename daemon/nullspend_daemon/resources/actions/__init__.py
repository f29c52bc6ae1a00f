"""Actions: core 6."""
