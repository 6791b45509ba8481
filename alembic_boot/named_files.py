"""Files that a user names: there, absent, or not to be read."""

import stat
from pathlib import Path

from alembic_boot.errors import ConfigurationError


def is_there(file: Path) -> bool:
    """Return whether a file exists. Raises ConfigurationError if it cannot be read.

    `Path.is_file` raises OSError for some paths and returns False for others, by Python's version.
    """
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return False
        file.open("rb").close()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a null character
        return False
    except OSError as error:
        raise unreadable(file, error) from error
    return True


def unreadable(file: Path, error: OSError) -> ConfigurationError:
    """Return the refusal of a file that cannot be read."""
    return ConfigurationError(
        f"{file} cannot be read: {error.strerror}.", "Fix the path or its rights."
    )
