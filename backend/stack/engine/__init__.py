"""The container engine: connections to it, and its objects for one stack."""
