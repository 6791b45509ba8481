"""A secret that a development machine creates and stores for itself."""

import os
import secrets
from pathlib import Path

from alembic_boot.errors import ServingFailedError
from alembic_boot.output.masking import hide


def kept_secret(folder: Path) -> str:
    """Return the text in `folder`/jwt_secret; create the file if it is absent.

    Processes that start at once (workers, a second service in the same folder) get the same secret.
    Raises ServingFailedError if the file can be neither read nor created.
    """
    file = folder / "jwt_secret"
    try:
        if not file.exists():
            _make(file)
        secret = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ServingFailedError(
            f"JWT_SECRET is not set, and no secret can be stored in {file}: {error}.",
            "Set JWT_SECRET, or make the folder writable.",
        ) from error
    if not secret:
        raise ServingFailedError(
            f"{file} is empty.", "Remove it: the next start creates a new secret."
        )
    hide(secret)
    return secret


def _make(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    own = file.with_name(f"{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as text:
            text.write(f"{secrets.token_hex(32)}\n")
        # Written completely or not at all; the first file stays.
        os.link(own, file)
    except FileExistsError:
        return
    finally:
        own.unlink(missing_ok=True)
