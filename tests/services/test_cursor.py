import re
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given, strategies as st

from backend.schemas.field_types import CURSOR
from backend.services.cursor import Position, decode, encode

positions = st.builds(Position, st.datetimes(timezones=st.just(UTC)), st.uuids())


@given(positions)
def test_a_cursor_leads_back_to_its_position(position: Position) -> None:
    """Nothing is lost, to the microsecond, from the first year to the last."""
    assert position == decode(encode(position))


@given(positions)
def test_a_cursor_needs_no_escaping(position: Position) -> None:
    """It can be pasted into a URL as it is."""
    text = encode(position)
    assert len(text) == 32
    assert text.replace("-", "").replace("_", "").isalnum()
    assert text.isascii()


def test_the_time_zone_does_not_matter() -> None:
    """One moment has one cursor, whatever zone the database's session speaks."""
    moment = datetime(2026, 1, 31, 8, tzinfo=UTC)
    there = moment.astimezone(timezone(timedelta(hours=9)))
    assert encode(Position(moment, UUID(int=1))) == encode(Position(there, UUID(int=1)))


@given(st.text() | st.text(alphabet="ABCxyz019-_=+/ \n", min_size=28, max_size=36))
def test_what_does_not_fit_the_pattern_is_refused(text: str) -> None:
    """By ValueError: nothing else is raised."""
    if re.fullmatch(CURSOR, text) is None:
        with pytest.raises(ValueError, match="not a cursor of this list"):
            decode(text)
    else:
        decode(text)


@given(positions, st.integers(0, 32), st.sampled_from("\n =!é"))
def test_a_cursor_with_something_added_is_refused(
    position: Position, where: int, what: str
) -> None:
    """Base64 alone would overlook what it doesn't know."""
    text = encode(position)
    with pytest.raises(ValueError, match="not a cursor of this list"):
        decode(text[:where] + what + text[where:])


@pytest.mark.parametrize(("letter", "year"), [("f", 9999), ("g", 1)])
def test_a_moment_that_no_datetime_holds_is_the_first_or_the_last(letter: str, year: int) -> None:
    """Eight bytes count more microseconds than there are years."""
    assert decode(letter * 32).created_at.year == year
