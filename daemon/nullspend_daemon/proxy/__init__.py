"""The enforcing proxy in front of the providers."""
