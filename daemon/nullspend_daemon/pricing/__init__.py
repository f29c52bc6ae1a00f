"""What a model costs: rates, estimates, the usage and the cost of a reply. Nothing else knows a rate."""
