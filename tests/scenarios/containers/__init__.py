"""The scenarios in containers: the real image, the real Compose file, a real engine."""
