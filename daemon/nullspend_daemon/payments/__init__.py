"""Stripe, real or simulated: its client, what its events change, the keys of customers' accounts under lock."""
