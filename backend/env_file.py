"""The `.env` file of development."""

from collections.abc import Collection, Container, Iterable, Mapping
from pathlib import Path

from alembic_boot.errors import ConfigurationError
from alembic_boot.named_files import is_there

_LIKENESS = 0.85
"""How like a setting a misspelt name is, from 0 to 1: other programs have variables there, too."""


def misspelt_names(given: Iterable[str], names: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Return the names that are almost one of `names`, each with that one."""
    unknown = [name for name in given if name not in names]
    if not unknown:
        return ()
    from difflib import get_close_matches

    near = ((name, get_close_matches(name, names, 1, _LIKENESS)) for name in unknown)
    return tuple((name, found[0]) for name, found in near if found)


def read_env_file(path: Path, given: Mapping[str, str], names: Container[str]) -> dict[str, str]:
    """Return the variables of a file like `.env`; none if the file is absent.

    It is read by Compose's rules, because the containers of a stack may share it; `given` are the
    variables that it may refer to. An invalid line is ignored, unless it sets one of `names`.
    Raises ConfigurationError if the file cannot be read.
    """
    if not is_there(path):
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.", "Fix or remove it.") from error
    from backend.stack.compose.dotenv import DotenvError, parse_dotenv

    def pass_over(error: DotenvError) -> None:
        if error.name in names:
            raise ConfigurationError(f"{path}, {error}.", "Correct it.") from error

    return {key: it for key, it in parse_dotenv(text, given, on_error=pass_over).items() if it}
