"""Describe exceptions of the project's own code (env.py, revisions, hooks, seeds, application)."""

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from traceback import walk_tb

from alembic_boot.errors import ConfigurationError

_LONGEST = 500
"""Characters of a message that fit in a sentence."""

_PSYCOPG = "sqlalchemy.dialects.postgresql.psycopg"
"""The module that imports psycopg for an engine."""

_TOOL = Path(__file__).parents[1]


def describe(
    error: BaseException, folders: Sequence[Path] = (), *, plain: tuple[type, ...] = ()
) -> str:
    """Return on one line what was raised, and the file and line of the project's own code.

    Paths are shown relative to one of `folders`. For `plain` exceptions the text is enough.
    """
    first, *others = _leaves(error)
    place = _place(first, folders) or _place(error, folders)  # of the first exception in a group
    if getattr(first, "has_no_place", False):  # our own: the line does not matter
        place = ""
    text = _text(first).rstrip(".")
    kind = "" if text and isinstance(first, (SyntaxError, *plain)) else type(first).__name__
    more = f" (and {len(others)} more)" if others else ""
    return ": ".join(it for it in (place, kind, text) if it) + more


def is_own_code(error: BaseException) -> bool:
    """Return whether the project's own code raised, or called the code that did."""
    return bool(_place(error, ()))


def missing_package(
    error: BaseException, folders: Sequence[Path] = ()
) -> ConfigurationError | None:
    """Return the failure if code imports a package that is not installed; else None."""
    first = _leaves(error)[0]
    if not isinstance(first, ModuleNotFoundError) or not first.name:
        return None
    package = first.name.partition(".")[0]
    if package in sys.modules or find_spec(package) is not None:
        return None
    modules = [frame.f_globals.get("__name__") for frame, _ in walk_tb(first.__traceback__)]
    if package == "psycopg" and modules and modules[-1] == _PSYCOPG:
        return ConfigurationError(
            f"{_place(first, folders) or 'The project'} needs the package psycopg, which is not "
            "installed in this environment.",
            "Write the URL as postgresql+psycopg2://…, or install psycopg: since SQLAlchemy 2.1, "
            "postgresql://… means psycopg.",
        )
    return ConfigurationError(
        f"{_place(first, folders) or 'The project'} needs the package {package}, which is not "
        "installed in this environment.",
        way_to_find("prepend_sys_path or PYTHONPATH"),
    )


def way_to_find(setting: str) -> str:
    """Return what helps if a package is not found; `setting` tells Python more folders."""
    return (
        f"Install it into {sys.prefix}; if it is the project's own code, let {setting} lead to the "
        "folder above it."
    )


def plugin_failure(error: BaseException) -> ConfigurationError | None:
    """Return the failure if an installed plugin keeps Alembic from being imported; else None."""
    for frame, _ in walk_tb(error.__traceback__):
        plugin = frame.f_locals.get("entrypoint")
        if frame.f_globals.get("__name__") == "alembic.runtime.plugins" and plugin is not None:
            failure = missing_package(error) or ConfigurationError(
                f"Alembic's plugin {plugin.name} ({plugin.value}) cannot be loaded: "
                f"{describe(error)}.",
                "Fix or uninstall the package that brings the plugin.",
            )
            failure.__cause__ = error
            return failure
    return None


def _leaves(error: BaseException) -> list[BaseException]:
    """Return the exceptions of a group, at any depth, or the exception itself."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for it in error.exceptions for leaf in _leaves(it)]
    return [error]


def _place(error: BaseException, folders: Sequence[Path]) -> str:
    """Return the file and line where the project's own code raised, or called what did."""
    if isinstance(error, SyntaxError) and _is_file(error.filename or "<>"):
        return f"{_shown(str(error.filename), folders)}, line {error.lineno or 1}"
    frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    own = [
        f"{_shown(file, folders)}, line {line}" for file, line in frames if _is_own(file, folders)
    ]
    return own[-1] if own else ""


def _is_file(name: str) -> bool:
    return bool(name) and not name.startswith("<")


def _is_own(file: str, folders: Sequence[Path]) -> bool:
    """Return whether a file is the project's: neither Python's, nor a library's, nor ours."""
    import sysconfig

    if not _is_file(file):
        return False
    path = Path(file)
    if any(path.is_relative_to(folder) for folder in folders if "site-packages" in folder.parts):
        return True  # a project that is installed with its revisions
    libraries = [_TOOL, *(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))]
    is_library = any(path.is_relative_to(it) for it in libraries)
    return not is_library and not {"site-packages", "dist-packages"} & set(path.parts)


def _shown(file: str, folders: Sequence[Path]) -> str:
    path = Path(os.path.abspath(file))  # noqa: PTH100 (resolves no links)
    relative = [
        str(path.relative_to(it)) for it in (*folders, Path.cwd()) if path.is_relative_to(it)
    ]
    return min(relative, key=len, default=str(path))


def _text(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.msg:
        return str(error.msg)
    if isinstance(error, KeyError) and type(error).__str__ is KeyError.__str__ and error.args:
        return _of_key(error)
    try:
        lines = [line.strip() for line in _said(error).splitlines() if line.strip()]
        fields = _of_fields(error)
    except Exception as other:  # noqa: BLE001 (their own __str__, which may do anything)
        return f"its text cannot be shown, for that raises {type(other).__name__}"
    if not lines:
        return fields
    text = f"{lines[0]} {lines[1]}" if lines[0].endswith(":") and lines[1:] else lines[0]
    text = f"{text.rstrip('.')}: {fields}" if fields else text
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _said(error: BaseException) -> str:
    """Return the exception's text, with a database's message on one line."""
    raised = getattr(error, "orig", None) or error
    sentence = getattr(getattr(raised, "diag", None), "message_primary", None)
    text = str(error)
    return text.replace(sentence, " ".join(sentence.split())) if sentence else text


def _of_key(error: KeyError) -> str:
    codes = [frame.f_code for frame, _ in walk_tb(error.__traceback__)]
    if codes and codes[-1] is type(os.environ).__getitem__.__code__:
        return f"the environment variable {error.args[0]} is not set"
    return f"there is no {error.args[0]!r}"


def _of_fields(error: BaseException) -> str:
    """Return the fields that a validation refuses, in pydantic's form; never their values."""
    errors = getattr(error, "errors", None)
    found = errors() if callable(errors) else None
    if not isinstance(found, list):
        return ""
    return ", ".join(
        f"{'.'.join(map(str, it['loc'])) or 'all'} ({it['msg']})"
        for it in found
        if isinstance(it, dict) and {"loc", "msg"} <= it.keys()
    )
