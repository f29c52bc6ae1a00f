"""The organization's own Stripe account: connection, revenue, and which customer is which. Orgs 8."""
