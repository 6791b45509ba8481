"""The cache of public answers in each process."""
