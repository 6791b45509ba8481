"""The message of a revision is its title."""

import pytest

from alembic_boot.checking.new_revision import required
from alembic_boot.errors import ConfigurationError


@pytest.mark.parametrize("message", [None, "", " "])
def test_none(message: str | None) -> None:
    """A revision without one would have no title."""
    with pytest.raises(ConfigurationError, match=r"A revision needs a message\. Use --message "):
        required(message)


def test_one() -> None:
    """Blanks around it are dropped."""
    assert required(" users have nicknames ") == "users have nicknames"
