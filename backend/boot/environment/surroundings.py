"""What an env.py may decide by besides files: as a hash, so that a change of it is seen."""

import os
import re
import sys
from hashlib import sha256
from pathlib import Path

from backend.boot.masking import mask
from backend.boot.postgres.urls import DatabaseUrl

_PASSING = re.compile(
    # the terminal, the session, the process
    r"_|(OLD)?PWD|SHLVL|TERM(_.*)?|COLUMNS|LINES|LS_COLORS|WINDOWID|SSH_.*|TMUX.*|XDG_.*|INVOKE_.*"
    r"|INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_.*|PYTEST_.*"
    # the machine or the container
    r"|HOSTNAME|PORT|DYNO|POD_.*|NODE_.*|KUBERNETES_.*|ECS_.*|FLY_.*"
    # what boot has as typed values, or makes itself
    r"|BOOT_.*|BACKEND_(HOST|PORT)|LOG_(LEVEL|FORMAT)|DB_WAIT_TIMEOUT|WEB_CONCURRENCY|RELOAD|SEED"
    r"|MIGRATION_(TARGET|ROLLBACK)|MIGRATE_.*"
)
"""Variables that differ from one start to the next and say nothing of where the schema is."""

_SECRET = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|(^|_)(PASS|PWD)(_|$)|SECRET|TOKEN|CREDENTIAL|API_?KEY|(^|_)KEYS?(_|$)",
    re.IGNORECASE,
)

_USERINFO = re.compile(r"(?<=://)[^/@\s]*@")
"""Of an address: whatever it is called, there may be a secret in it."""

_LOGIN = ("user", "dbname", "options")
"""Of libpq's keywords: what decides in which schemas a name is looked for."""


def surroundings(alembic_config: Path, url: DatabaseUrl) -> str:
    """Return a hash of the environment, the login, the working directory and what is installed.

    Nothing secret goes into it, not even as a hash.
    """
    facts = [
        sys.version,
        os.path.relpath(alembic_config),
        *(f"{name}={url.parameters.get(name)}" for name in _LOGIN),
        *(
            f"{name}={_USERINFO.sub('', mask(text))}"
            for name, text in sorted(os.environ.items())
            if not _PASSING.fullmatch(name) and not _SECRET.search(name)
        ),
        *sorted(_installed()),
    ]
    return sha256("\0".join(facts).encode(errors="surrogateescape")).hexdigest()[:32]


def _installed() -> set[str]:
    """Return the names of installed packages, with their versions."""
    found: set[str] = set()
    for folder in filter(os.path.isdir, sys.path):
        with os.scandir(folder) as entries:
            found.update(it.name for it in entries if it.name.endswith((".dist-info", ".egg-info")))
    return found


def loaded_sources() -> list[str]:
    """Return the files of all modules that are loaded and come from no installed package.

    Among them is all that env.py has imported of the project's own.
    """
    import sysconfig

    paths = sysconfig.get_paths()
    library = tuple(paths[name] + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    files = (getattr(module, "__file__", None) for module in tuple(sys.modules.values()))
    return sorted(
        {
            file
            for file in files
            if isinstance(file, str) and file.endswith(".py") and not file.startswith(library)
        }
    )
