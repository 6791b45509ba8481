"""Check a history, compare the models with the schema, and write new revisions."""
