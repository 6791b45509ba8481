"""What is measured instead of asserted: each is a script that prints a table."""
