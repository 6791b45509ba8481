"""The container engine: reaching it, and what it is told for one stack."""
