"""The Compose file: its allowed keys, read by Compose's rules."""
