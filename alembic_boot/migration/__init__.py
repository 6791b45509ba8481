"""Migration: from the revisions on disk and the state of a database to a schema at its target."""
