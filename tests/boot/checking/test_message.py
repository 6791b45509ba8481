"""The message of a revision is its title."""

import pytest

from alembic_boot.checking.new_revision import required
from alembic_boot.commands import as_typed
from alembic_boot.errors import ConfigurationError


@pytest.mark.parametrize("command", ["revision", "merge"])
@pytest.mark.parametrize("message", [None, "", " "])
def test_none(message: str | None, command: str) -> None:
    """A revision without one would have no title; the advice can be typed, also after `make`."""
    with pytest.raises(ConfigurationError) as caught:
        required(message, command)
    typed = as_typed(f'{command} --message "what it does"')
    assert str(caught.value) == f"A revision needs a message. Type `{typed}`."


def test_one() -> None:
    """Blanks around it are dropped."""
    assert required(" users have nicknames ", "revision") == "users have nicknames"
