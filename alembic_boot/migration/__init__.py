"""From the revisions on disk and the facts in a database to a schema at its target."""
