"""`python -m alembic_boot` is `alembic-boot`."""

from alembic_boot.cli import main

main()
