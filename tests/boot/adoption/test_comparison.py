import pytest
from hypothesis import given, settings, strategies as st

from alembic_boot.adoption.comparison import (
    Difference,
    DifferenceKind,
    ObjectKey,
    Value,
    compare,
)

MIRRORED = {
    DifferenceKind.MISSING: DifferenceKind.UNEXPECTED,
    DifferenceKind.UNEXPECTED: DifferenceKind.MISSING,
    DifferenceKind.CHANGED: DifferenceKind.CHANGED,
}

names = st.text("abc\"'. \n", min_size=1, max_size=4)
keys = st.builds(
    ObjectKey,
    st.sampled_from(["table", "column", "constraint", "index", "enum"]),
    names,
    st.just("") | names,
)
values: st.SearchStrategy[Value] = st.one_of(
    st.none(), st.booleans(), st.text(max_size=3), st.lists(names, max_size=3).map(tuple)
)
properties = st.dictionaries(st.sampled_from(["type", "default", "labels"]), values)
objects = st.dictionaries(keys, properties, max_size=8)


def changed(found: Value, expected: Value, key: ObjectKey | None = None) -> str:
    key = key or ObjectKey("index", "ix")
    return str(Difference(DifferenceKind.CHANGED, key, "definition", found, expected))


@settings(deadline=None)
@given(objects)
def test_a_catalogue_equals_itself(entries: dict[ObjectKey, dict[str, Value]]) -> None:
    """Nothing is reported where nothing differs, whatever order things were read in."""
    again = dict(reversed(entries.items()))
    assert compare(entries, again) == ()


@pytest.mark.slow
@settings(deadline=None)
@given(st.data())
def test_exactly_the_planted_differences_are_found(data: st.DataObject) -> None:
    """What was removed, added or changed is reported, and nothing else."""
    expected = data.draw(objects)
    found = {key: dict(entry) for key, entry in expected.items()}
    planted = set()
    existing = st.sets(st.sampled_from(sorted(expected))) if expected else st.just(set())
    for key in data.draw(existing):
        if data.draw(st.booleans()):
            del found[key]
            planted.add(Difference(DifferenceKind.MISSING, key))
            continue
        for name, value in data.draw(properties).items():
            before = expected[key].get(name)
            found[key][name] = value
            if value != before:
                planted.add(Difference(DifferenceKind.CHANGED, key, name, value, before))
    for key, entry in data.draw(objects).items():
        if key not in expected:
            found[key] = entry
            planted.add(Difference(DifferenceKind.UNEXPECTED, key))

    differences = compare(found, expected)

    assert planted == set(differences)
    assert len(planted) == len(differences)


@pytest.mark.slow
@settings(deadline=None)
@given(objects, objects)
def test_comparing_the_other_way_round_mirrors_every_difference(
    one: dict[ObjectKey, dict[str, Value]], other: dict[ObjectKey, dict[str, Value]]
) -> None:
    """The same things differ, in the same order, with the sides exchanged."""
    there = compare(one, other)
    back = compare(other, one)
    mirrored = tuple(
        Difference(MIRRORED[d.kind], d.object, d.property, found=d.expected, expected=d.found)
        for d in back
    )
    assert mirrored == there


@pytest.mark.slow
@settings(deadline=None)
@given(objects, objects)
def test_every_difference_is_one_line(
    one: dict[ObjectKey, dict[str, Value]], other: dict[ObjectKey, dict[str, Value]]
) -> None:
    """A value with line breaks does not break the line."""
    for difference in compare(one, other):
        without_name = str(difference).removeprefix(str(difference.object))
        if difference.property and difference.object.kind != "column":
            assert "\n" not in without_name


def test_a_property_without_a_value_is_no_property() -> None:
    """Absent and None are the same: not every query gives every property."""
    key = ObjectKey("index", "ix")
    assert compare({key: {"predicate": None}}, {key: {}}) == ()


def test_differences_are_in_order_of_kind_and_name() -> None:
    """The same schemas give the same report each time."""
    expected = [
        ObjectKey("column", "books", "id"),
        ObjectKey("column", "books", "title"),
        ObjectKey("index", "a"),
        ObjectKey("table", "books"),
    ]
    differences = compare({}, {key: {} for key in reversed(expected)})
    assert expected == [difference.object for difference in differences]


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (ObjectKey("table", "books"), "table books is missing"),
        (ObjectKey("column", "books", "title"), "column books.title is missing"),
        (ObjectKey("constraint", "books", "ck"), "constraint ck on books is missing"),
        (ObjectKey("index", "ix_books_user_id"), "index ix_books_user_id is missing"),
        (ObjectKey("trigger", "audit.books", "t"), "trigger t on audit.books is missing"),
        (ObjectKey("sequence", "owned by a.id"), "sequence owned by a.id is missing"),
    ],
)
def test_a_missing_object_is_named(key: ObjectKey, line: str) -> None:
    """A column by its path, what belongs to a table together with it, the rest by its name."""
    [difference] = compare({}, {key: {}})
    assert line == str(difference)


@pytest.mark.parametrize(
    ("found", "expected", "line"),
    [
        ("a", "b", "index ix: definition is a, expected b"),
        (None, "b", "index ix: definition is none, expected b"),
        ("a", "", "index ix: definition is a, expected ''"),
        (False, True, "index ix: definition is no, expected yes"),
        (("a", "b"), ("a",), "index ix: definition are (a, b), expected (a)"),
        (None, ("a",), "index ix: definition are none, expected (a)"),
        ("a\nb", "a b", "index ix: definition is a\\nb, expected a b"),
        ("a\\nb", "a\nb", "index ix: definition is a\\\\nb, expected a\\nb"),
    ],
)
def test_a_changed_value_is_shown_beside_the_expected_one(
    found: Value, expected: Value, line: str
) -> None:
    """Each kind of value has a form of its own, so that no two values look alike."""
    assert line == changed(found, expected)


def test_a_changed_column_needs_no_word_for_its_kind() -> None:
    """Columns are what differs most often."""
    key = ObjectKey("column", "books", "title")
    line = "books.title: definition is a, expected b"
    assert line == changed("a", "b", key)


def test_a_long_value_is_shown_around_its_first_difference() -> None:
    """Functions and views would fill the screen, and hide where they differ."""
    line = changed("a" * 1000 + "X" + "b" * 1000, "a" * 1000 + "Y" + "b" * 1000)
    before, after = "… " + "a" * 40, "b" * 79 + " …"
    assert line == f"index ix: definition is {before}X{after}, expected {before}Y{after}"


def test_a_value_that_goes_on_where_the_other_ends_shows_so() -> None:
    """One value may be the beginning of the other."""
    line = changed("a" * 200, "a" * 200 + "b")
    before = "… " + "a" * 40
    assert line == f"index ix: definition is {before}, expected {before}b"
