"""One starter at a time: the lock, the fence behind a dead one, the watch over the work."""
