"""The commands in advice, in the form that works when they are typed."""

import os
import shlex
import shutil
import sys
from pathlib import Path

OUTSIDE = "INV_OUTSIDE"
"""The variable in which `inv TASK --in SERVICE` passes its own command line to the task inside."""

WITH_IN = frozenset({"adopt", "migrate", "rollback", "seed", "stamp", "status"})
"""The tasks that have `--in`."""


def as_typed(command: str) -> str:
    """Return a command such as `inv adopt` as it works in the shell that started this process.

    The program is the one of this environment: by its name if PATH leads to it (as in the image, or
    in an activated `.venv`), else by its path.
    """
    name, _, rest = command.partition(" ")
    outside = os.environ.get(OUTSIDE)
    if outside and name == "inv" and rest.split(" ")[0] in WITH_IN:
        return outside.replace("{}", rest)
    return f"{_program(name)} {rest}".rstrip()


def _program(name: str) -> str:
    program = Path(sys.executable).parent / name
    found = shutil.which(name)
    if not program.exists() or (found is not None and program.samefile(found)):
        return name
    # The tasks run in the project's folder, which may differ from the shell's.
    is_here = os.environ.get("PWD") == str(Path.cwd())
    if is_here and program.is_relative_to(Path.cwd()):
        program = program.relative_to(Path.cwd())
    return shlex.quote(str(program))
