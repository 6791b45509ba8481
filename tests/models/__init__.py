"""Tests of the tables as the application sees them."""
