"""SQLite behind one writer thread and a few readers. Knows transactions and rows, nothing of HTTP."""
