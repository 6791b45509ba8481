"""The pipeline: lint, tests, image, scenarios in containers; it leaves nothing in the engine."""
