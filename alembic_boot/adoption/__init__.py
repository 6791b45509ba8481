"""What a schema is, whoever made it, and how two of them differ."""
