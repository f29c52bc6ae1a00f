"""The NullSpend daemon: the whole API on one machine. Importing the package costs nothing."""

__version__ = "0.1.0"
API_VERSION = "2026-04-01"
