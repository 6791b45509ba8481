"""Services come up after those that they depend on."""

import pytest
from hypothesis import given, strategies as st

from alembic_boot.errors import ConfigurationError
from backend.stack.compose.order import start_order


def test_dependencies_first() -> None:
    assert start_order({"web": ["db", "cache"], "cache": ["db"], "db": []}) == [
        "db",
        "cache",
        "web",
    ]


@pytest.mark.parametrize(
    ("dependencies", "circle"),
    [
        ({"a": ["a"]}, "a → a"),
        ({"a": ["b"], "b": ["a"], "c": []}, "a → b → a"),
    ],
)
def test_circle(dependencies: dict[str, list[str]], circle: str) -> None:
    """A circle is refused with the services that are in it."""
    with pytest.raises(ConfigurationError) as raised:
        start_order(dependencies)
    assert str(raised.value) == (
        f"The services wait for each other in a circle: {circle}. "
        "Take one of these out of its depends_on."
    )


@given(st.permutations(range(6)), st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5))))
def test_any_order_without_a_circle(ranks: list[int], edges: set[tuple[int, int]]) -> None:
    """Whatever depends on what, nobody comes before what it depends on."""
    dependencies: dict[str, list[str]] = {str(name): [] for name in ranks}
    for one, other in edges:
        if ranks[one] > ranks[other]:
            dependencies[str(one)].append(str(other))
    order = start_order(dependencies)
    assert sorted(order) == sorted(dependencies)
    assert all(
        order.index(other) < order.index(one) for one in order for other in dependencies[one]
    )
