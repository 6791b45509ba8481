"""What anonymous callers can do to the real application, which has little memory."""
