"""The `nullspend` command. It talks HTTP to any NullSpend server and knows nothing of the daemon's inside."""
