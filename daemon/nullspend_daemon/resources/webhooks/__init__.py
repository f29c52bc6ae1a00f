"""Webhook endpoints and their deliveries: core 7."""
