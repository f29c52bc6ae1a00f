"""One file a noun: its columns, its examples, then its verbs."""
