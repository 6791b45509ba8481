"""Run one revision after another: under a lock, with a journal, and beside live traffic."""
