"""The heart: which budgets a charge touches, what it does to them, and who must hear of it."""
