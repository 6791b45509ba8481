"""Later files are laid over earlier ones as the Compose specification has it."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from backend.stack.compose.loading import Document
from backend.stack.compose.merging import merge


def merged(key: str, base: Any, other: Any, cleared: bool = False) -> Any:
    where = ("services", "a", key)
    documents = [
        Document("1", {"services": {"a": {key: base}}}),
        Document("2", {"services": {"a": {key: other}}}, (where,) if cleared else ()),
    ]
    return merge(documents)["services"]["a"][key]


@pytest.mark.parametrize(
    ("key", "base", "other", "expected"),
    [
        ("image", "a", "b", "b"),
        ("image", "a", None, "a"),
        ("environment", {"A": "1", "B": "2"}, {"B": "3"}, {"A": "1", "B": "3"}),
        ("environment", {"command": ["a"]}, {"command": ["b"]}, {"command": ["a", "b"]}),
        ("command", ["a", "b"], ["c"], ["c"]),
        ("command", ["a"], None, None),
        ("entrypoint", ["a"], [], []),
        ("healthcheck", {"test": ["a"], "retries": "3"}, {"test": ["b"]}, {"test": ["b"], "retries": "3"}),  # noqa: E501
        ("cap_drop", ["A"], ["B", "A"], ["A", "B"]),
        ("ports", ["80:80"], ["81:80", "80:80"], ["80:80", "81:80"]),
        ("ports", [{"target": "80", "published": "1"}], [{"target": "80", "published": "1", "protocol": "tcp"}], [{"target": "80", "published": "1", "protocol": "tcp"}]),  # noqa: E501
        ("volumes", ["a:/x", "b:/y"], ["c:/x:ro"], ["c:/x:ro", "b:/y"]),
        ("volumes", ["a:/x"], [{"source": "b", "target": "/x"}], [{"source": "b", "target": "/x"}]),
        ("secrets", [{"source": "s"}], [{"source": "s", "target": "t"}], [{"source": "s"}, {"source": "s", "target": "t"}]),  # noqa: E501
        ("secrets", ["s"], [{"source": "other", "target": "s"}], [{"source": "other", "target": "s"}]),  # noqa: E501
        ("env_file", ["a", "b"], [{"path": "a", "required": "false"}], [{"path": "a", "required": "false"}, "b"]),  # noqa: E501
        ("networks", {"n": {"aliases": ["x"]}}, {"n": None}, {"n": {"aliases": ["x"]}}),
        ("depends_on", {"d": {"condition": "service_healthy"}}, {"d": {"condition": "service_started"}}, {"d": {"condition": "service_started"}}),  # noqa: E501
        ("logging", {"driver": "a", "options": {"x": "1"}}, {"driver": "b"}, {"driver": "b"}),
        ("logging", {"driver": "a", "options": {"x": "1"}}, {"options": {"y": "2"}}, {"driver": "a", "options": {"x": "1", "y": "2"}}),  # noqa: E501
    ],
)  # fmt: skip
def test_merge(key: str, base: Any, other: Any, expected: Any) -> None:
    assert merged(key, base, other) == expected


def test_cleared() -> None:
    """What a later file clears is not merged with, and the rest is."""
    assert merged("ports", ["80:80"], ["90:90"], cleared=True) == ["90:90"]
    base = Document("1", {"services": {"a": {"image": "x", "ports": ["1:1"]}, "b": {"image": "y"}}})
    other = Document("2", {"services": {"a": {"user": "me"}}}, (("services", "a", "ports"),))
    also = Document("3", {}, (("services", "b"), ("services", "c", "d"), ("x", "y")))
    assert merge([base, other, also]) == {"services": {"a": {"image": "x", "user": "me"}}}


def test_names_are_no_keys() -> None:
    """A service or a network may have the name of a key with a rule of its own."""
    base = Document("1", {"services": {"logging": {"driver": "a", "x": "1"}}, "volumes": {"v": {}}})
    other = Document("2", {"services": {"logging": {"driver": "b"}}, "volumes": {"v": None}})
    assert merge([base, other]) == {
        "services": {"logging": {"driver": "b", "x": "1"}},
        "volumes": {"v": {}},
    }


DOCUMENTS = st.dictionaries(
    st.sampled_from(["image", "ports", "environment", "volumes", "command"]),
    st.recursive(
        st.sampled_from(["a:/x", "b:/y", "c:/z"]),
        lambda parts: (
            st.lists(parts, unique_by=str) | st.dictionaries(st.sampled_from("ab"), parts)
        ),
        max_leaves=6,
    ),
)


@given(DOCUMENTS)
def test_merge_with_itself_or_nothing_changes_nothing(service: dict[str, Any]) -> None:
    content = {"x": service}
    one, nothing = Document("1", content), Document("2", {})
    assert merge([one, one]) == content
    assert merge([one, nothing]) == merge([nothing, one]) == content
