"""The parts of the status page: from the report to HTML and SVG."""
