"""Projects of other people, each with nothing of ours but the wheel."""
