"""What the labels say of dependencies is read back as it was written."""

from hypothesis import given, strategies as st

from backend.stack.compose.model import Condition, Dependency
from backend.stack.engine.labels import read_depends_on, write_depends_on

NAMES = st.from_regex(r"[a-z0-9._-]+", fullmatch=True)


def test_form() -> None:
    """The form is that of Compose 2, so that it can read it as well."""
    dependencies = {"db": Dependency(condition=Condition.HEALTHY), "cache": Dependency()}
    label = "cache:service_started:false,db:service_healthy:false"
    assert write_depends_on(dependencies) == label


@given(st.dictionaries(NAMES, st.builds(Dependency, condition=st.sampled_from(Condition))))
def test_round_trip(dependencies: dict[str, Dependency]) -> None:
    assert read_depends_on(write_depends_on(dependencies)) == sorted(dependencies)
