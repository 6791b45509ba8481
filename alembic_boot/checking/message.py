"""The message of a new revision: its title, and a part of its file's name."""

from alembic_boot.errors import ConfigurationError


def required(message: str | None) -> str:
    """Return the message of a new revision. Raises ConfigurationError if there is none."""
    if message and message.strip():
        return message.strip()
    raise ConfigurationError(
        "A revision needs a message.", 'Use --message "what it does, in a few words".'
    )
