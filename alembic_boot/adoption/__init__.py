"""Adoption: find the revision of an existing schema, and its differences from the history."""
