"""Organizations, their members, invitations and upgrade URLs: orgs 1, 2."""
