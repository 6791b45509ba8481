"""What a process keeps of the answers that are the same for everybody."""
