"""Budgets: core 4."""
