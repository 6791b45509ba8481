"""Tests: the folders mirror `backend/`; `scenarios` runs whole processes."""
