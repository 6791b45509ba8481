"""What a check prints for programs."""

from alembic_boot import Checked


def test_a_sound_history_tells_how_much_was_checked() -> None:
    """The summary of a workflow has no other place to read it."""
    found = Checked((), ("b2",), 3, has_models=False)
    assert list(found.lines("github")) == [f"::notice title=alembic-boot::{found}"]
    assert "1 of 3 revisions" in str(found)
