"""Tests of the development data."""
