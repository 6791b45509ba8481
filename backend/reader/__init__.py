"""The reader: shared books as HTML pages, for anonymous people with a browser."""
