"""Output for people, logs and programs: streams, log, progress, masked secrets, told failures."""
