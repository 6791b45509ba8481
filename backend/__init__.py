"""MoriAI's backend: the storybook service, the first user of alembic_boot."""

from alembic_boot.commands import Program, use
from backend.variables import VARIABLES

__version__ = "0.1.0"

PROGRAM = Program(
    "inv",
    settings={it.setting: name for name, it in VARIABLES.items() if it.setting},
    creating="in dev and test {migrate} and {start} create it",
    without_seed="start with SEED=false",
    check_all="check",
)
"""The names of MoriAI's tasks and settings, for the advice of alembic_boot."""

use(PROGRAM)
