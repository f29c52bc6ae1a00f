"""Margins: what customers pay against what they cost. Orgs 9."""
