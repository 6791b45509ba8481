"""Tests of the history: what each revision does to a schema and to the rows in it."""
