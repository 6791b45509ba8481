"""A file's short forms are brought to long ones, so that files can be merged."""

from typing import Any

import pytest

from alembic_boot.errors import ConfigurationError
from backend.stack.compose.documents import normalise
from backend.stack.compose.loading import Document, Unquoted


def normal(service: dict[str, Any]) -> Any:
    document = Document("x.yml", {"services": {"web": service}}, lines={("services", "web"): 3})
    return normalise(document, {"GIVEN": "yes"}).content["services"]["web"]


def test_lists_become_mappings() -> None:
    """A name without a value takes it from the variables, or is left out; a label is empty."""
    service = {
        "build": {"context": ".", "args": ["GIVEN", "MISSING", "A=1"], "labels": ["l"]},
        "environment": ["A=1", "B=", "C=x=y", "GIVEN", "MISSING"],
        "labels": {"l": "1", "GIVEN": None},
        "depends_on": ["db", "cache"],
        "networks": ["front"],
        "env_file": "a.env",
        "tmpfs": "/tmp",
    }
    assert normal(service) == {
        "build": {"context": ".", "args": {"GIVEN": "yes", "A": "1"}, "labels": {"l": ""}},
        "environment": {"A": "1", "B": "", "C": "x=y", "GIVEN": "yes"},
        "labels": {"l": "1", "GIVEN": ""},
        "depends_on": {
            "db": {"condition": "service_started"},
            "cache": {"condition": "service_started"},
        },
        "networks": {"front": None},
        "env_file": ["a.env"],
        "tmpfs": ["/tmp"],
    }
    assert normal({"build": "."}) == {"build": {"context": "."}}


def test_later_items_replace_earlier_ones() -> None:
    service = {"volumes": ["a:/x", "b:/y", "c:/x"], "ports": ["80:80", "80:80"]}
    assert normal(service) == {"volumes": ["c:/x", "b:/y"], "ports": ["80:80"]}


@pytest.mark.parametrize(
    ("service", "key"),
    [
        ({"environment": {"PIN": Unquoted("0755")}}, "environment.PIN"),
        ({"labels": {"v": Unquoted("1.10")}}, "labels.v"),
        ({"build": {"args": {"V": Unquoted("1e3")}}}, "build.args.V"),
        ({"logging": {"options": {"max-file": Unquoted("0x3")}}}, "logging.options.max-file"),
    ],
)
def test_value_that_compose_writes_otherwise(service: dict[str, Any], key: str) -> None:
    """0755 would be 493 in the container: quotes say what is meant. The value is not shown."""
    with pytest.raises(ConfigurationError) as raised:
        normal(service)
    assert str(raised.value) == (
        f"services.web.{key} in x.yml, line 3: without quotes YAML reads it as a number, a date or "
        "a truth, and Compose writes that in another way. Put the value into quotes."
    )
