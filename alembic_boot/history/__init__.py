"""What is on disk: revisions, their order, their code, and what they do to other code."""
