"""Who am I, and in which organization: core 3."""
