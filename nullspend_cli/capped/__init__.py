"""`nullspend run` and the pytest plugin: a command or a test run whose calls go through a daemon, up to a budget."""
