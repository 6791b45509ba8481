"""MoriAI's backend: the storybook service, and the boot that brings it up."""

__version__ = "0.1.0"
