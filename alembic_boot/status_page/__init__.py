"""The status page: what the boot knows of the schema, for people's eyes."""
