"""The former name of the tool's package."""

import subprocess
import sys


def test_the_modules_are_the_same() -> None:
    """A class that is raised under one name is caught under the other."""
    script = (
        "from backend.boot.errors import BootError\n"
        "from backend.boot.postgres.embedded import embedded_postgres\n"
        "import alembic_boot.errors, alembic_boot.postgres.embedded\n"
        "assert BootError is alembic_boot.errors.BootError\n"
        "assert embedded_postgres is alembic_boot.postgres.embedded.embedded_postgres\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
