"""The revisions on disk: their order, their code, and their effect on other code."""
