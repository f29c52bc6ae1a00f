"""NullSpend's own billing: orgs 7."""
