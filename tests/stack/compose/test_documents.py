"""YAML as it stands, its two ways to write a mapping, and the merge of two files."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.boot.errors import ConfigurationError
from backend.stack.compose.documents import merge, normalise, read_document


def read(tmp_path: Path, text: str) -> dict[str, Any]:
    path = tmp_path / "docker-compose.yml"
    path.write_text(text, encoding="utf-8")
    return read_document(path)


def test_scalars_stay_text(tmp_path: Path) -> None:
    """`on`, `0755`, 1e3 and 22:22 are what is written, not what YAML 1.1 takes them for."""
    text = "services: {a: {b: on, c: 0755, d: 1e3, e: 22:22, f: no, g: 0.50, h: 2026-01-31, i: }}"
    service = read(tmp_path, text)["services"]["a"]
    expected = {"b": "on", "c": "0755", "d": "1e3", "e": "22:22", "f": "no", "g": "0.50"}
    assert service == {**expected, "h": "2026-01-31", "i": None}


def test_anchors_and_extensions(tmp_path: Path) -> None:
    """What anchors share is merged in, and the key that holds it is gone."""
    text = """
x-common: &common {restart: always, user: me}
services:
  a: {<<: *common, user: you}
"""
    assert read(tmp_path, text) == {"services": {"a": {"restart": "always", "user": "you"}}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "docker-compose.yml is no YAML: line 1: expected the node content, but found"),
        ("a: 1\nb: 2\na: 3\n", "docker-compose.yml is no YAML: line 3: the key 'a' stands there"),
        ("a: !reset null", "docker-compose.yml is no YAML: line 1: could not determine a const"),
        ("a: \x00", "docker-compose.yml is no YAML: "),
        ("- a", "docker-compose.yml is no mapping. Begin it with `services:`."),
        ("", "docker-compose.yml is no mapping. Begin it with `services:`."),
    ],
)
def test_no_document(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read(tmp_path, text)
    assert str(raised.value).startswith(sentence)


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.yml does not exist\."):
        read_document(tmp_path / "nowhere.yml")
    (tmp_path / "latin.yml").write_bytes(b"a: \xe9")
    with pytest.raises(ConfigurationError, match=r"latin\.yml cannot be read: .*utf-8"):
        read_document(tmp_path / "latin.yml")


def test_lists_become_mappings() -> None:
    """A name without a value takes it from the variables, or is left out."""
    service = {
        "build": ".",
        "environment": ["A=1", "B=", "C=x=y", "GIVEN", "MISSING"],
        "labels": {"l": "1", "GIVEN": None, "MISSING": None},
        "depends_on": ["db", "cache"],
        "networks": ["front"],
    }
    normal = normalise({"services": {"web": service}}, {"GIVEN": "yes"})
    assert normal["services"]["web"] == {
        "build": {"context": "."},
        "environment": {"A": "1", "B": "", "C": "x=y", "GIVEN": "yes"},
        "labels": {"l": "1", "GIVEN": "yes"},
        "depends_on": {"db": {}, "cache": {}},
        "networks": {"front": {}},
    }


@pytest.mark.parametrize(
    ("key", "base", "other", "expected"),
    [
        ("image", "a", "b", "b"),
        ("environment", {"A": "1", "B": "2"}, {"B": "3"}, {"A": "1", "B": "3"}),
        ("command", ["a", "b"], ["c"], ["c"]),
        ("entrypoint", ["a"], [], []),
        ("healthcheck", {"test": ["a"], "retries": "3"}, {"test": ["b"]}, {"test": ["b"], "retries": "3"}),  # noqa: E501
        ("cap_drop", ["A"], ["B", "A"], ["B", "A"]),
        ("ports", ["80:80"], ["81:80", "80:80"], ["81:80", "80:80"]),
        ("volumes", ["a:/x", "b:/y"], ["c:/x:ro"], ["b:/y", "c:/x:ro"]),
        ("volumes", ["a:/x"], [{"source": "b", "target": "/x"}], [{"source": "b", "target": "/x"}]),
        ("secrets", [{"source": "s"}], [{"source": "s", "target": "t"}], [{"source": "s", "target": "t"}]),  # noqa: E501
    ],
)  # fmt: skip
def test_merge(key: str, base: Any, other: Any, expected: Any) -> None:
    assert merge({"a": {key: base}}, {"a": {key: other}}) == {"a": {key: expected}}


DOCUMENTS = st.dictionaries(
    st.sampled_from(["image", "ports", "environment", "volumes", "command"]),
    st.recursive(
        st.sampled_from(["a:/x", "b:/y", "c:/x"]),
        lambda parts: (
            st.lists(parts, unique_by=str) | st.dictionaries(st.sampled_from("ab"), parts)
        ),
        max_leaves=6,
    ),
)


@given(DOCUMENTS)
def test_merge_with_itself_or_nothing_changes_nothing(document: dict[str, Any]) -> None:
    assert merge(document, document) == document
    assert merge(document, {}) == merge({}, document) == document
