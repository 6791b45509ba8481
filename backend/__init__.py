"""MoriAI's backend: the storybook service, and the boot that brings it up."""
