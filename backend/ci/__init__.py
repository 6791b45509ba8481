"""The pipeline: lint, tests, image, scenarios in containers; nothing stays in the engine."""
