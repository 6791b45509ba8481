"""The Compose file: what it may say, read as Compose reads it."""
