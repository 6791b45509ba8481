"""What people, logs and other programs read: streams, log, progress, masked and told failures."""
