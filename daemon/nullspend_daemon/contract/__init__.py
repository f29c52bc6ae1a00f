"""Facts of the API that the daemon and the command share. A leaf: it imports the standard library only."""
