"""YAML as it stands, with its lines and its tags."""

from pathlib import Path

import pytest

from alembic_boot.errors import ConfigurationError
from backend.stack.compose.loading import Document, Unquoted, is_rewritten, read_document


def read(tmp_path: Path, text: str) -> Document:
    path = tmp_path / "docker-compose.yml"
    path.write_text(text, encoding="utf-8")
    return read_document(path)


def test_scalars_stay_text(tmp_path: Path) -> None:
    """`on`, `0755`, 1e3 and 22:22 are what is written, not what YAML 1.1 takes them for."""
    text = "services: {a: {b: on, c: 0755, d: 1e3, e: 22:22, f: no, g: 0.50, h: 2026-01-31, i: }}"
    service = read(tmp_path, text).content["services"]["a"]
    expected = {"b": "on", "c": "0755", "d": "1e3", "e": "22:22", "f": "no", "g": "0.50"}
    assert service == {**expected, "h": "2026-01-31", "i": None}
    assert [key for key, it in service.items() if isinstance(it, Unquoted)] == ["c", "d", "g", "h"]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ("0 1 -5 8000 1.5 -0.25 true false yes on a 1.2.3 22:22 5s 1-2 0xfg e5", False),
        ("007 0755 0o17 0x1F 0b11 1_000 +5 1.0 1.10 1. .5 1e3 1E-3 .inf -.INF .nan", True),
        ("True FALSE 2026-01-31 2026-1-2T10:00:00Z 12345678901234567890 0.000001", True),
    ],
)
def test_what_yaml_writes_otherwise(texts: str, *, expected: bool) -> None:
    found = {text: is_rewritten(text) for text in texts.split()}
    assert found == dict.fromkeys(texts.split(), expected)


def test_quotes_and_tags_keep_a_number(tmp_path: Path) -> None:
    content = read(tmp_path, "a: '0755'\nb: \"1.10\"\nc: !!str 0755\nd: |\n  0755").content
    assert not [it for it in content.values() if isinstance(it, Unquoted)]


def test_anchors_and_lines(tmp_path: Path) -> None:
    """What anchors share is merged in; a part is found by the line of its key."""
    text = """
x-common: &common {restart: always, user: me}
services:
  a:
    <<: *common
    user: you
    ports:
      - 80:80
      - 81:81
"""
    found = read(tmp_path, text)
    assert found.content["services"]["a"]["restart"] == "always"
    assert found.content["services"]["a"]["user"] == "you"
    places = {
        ("services", "a", "ports", "1"): 9,
        ("services", "a", "ports", "1", "target"): 9,
        ("services", "a", "restart"): 2,
        ("services", "b"): 3,
    }
    for where, line in places.items():
        assert found.place(where) == f"docker-compose.yml, line {line}"
    assert found.place(("nothing",)) == "docker-compose.yml"


@pytest.mark.parametrize(
    ("text", "content", "cleared"),
    [
        ("a: {b: !reset [], c: d}", {"a": {"c": "d"}}, [("a", "b")]),
        ("a: !reset null", {}, [("a",)]),
        ("a: !reset\nb: c", {"b": "c"}, [("a",)]),
        ("a: {b: !override [c]}", {"a": {"b": ["c"]}}, [("a", "b")]),
        ("a: {b: !override {c: d}}", {"a": {"b": {"c": "d"}}}, [("a", "b")]),
        ("a: !override b", {"a": "b"}, [("a",)]),
        ("a: !override", {"a": None}, [("a",)]),
        ("a: !override {b: !reset x}", {"a": {}}, [("a",), ("a", "b")]),
        (
            "x: &x {p: !reset [], q: !override [1]}\na: {<<: *x}\nb: *x",
            {"x": {"q": ["1"]}, "a": {"q": ["1"]}, "b": {"q": ["1"]}},
            [("x", "p"), ("x", "q"), ("a", "p"), ("a", "q"), ("b", "p"), ("b", "q")],
        ),
    ],
)
def test_tags(tmp_path: Path, text: str, content: object, cleared: list[tuple[str, ...]]) -> None:
    """`!reset` takes a part out, `!override` keeps it; both clear what earlier files say there."""
    found = read(tmp_path, text)
    assert (found.content, list(found.cleared)) == (content, cleared)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [", "docker-compose.yml is not valid YAML: line 1: expected the node content"),
        ("a: 1\nb: 2\na: 3\n", "docker-compose.yml is not valid YAML: line 3: the key 'a' occurs"),
        ("a: \x00", "docker-compose.yml is not valid YAML: "),
        ("? [a]\n: b", "docker-compose.yml is not valid YAML: line 1: found unhashable key"),
        ("- a", "docker-compose.yml is not a mapping. Begin it with `services:`."),
        ("", "docker-compose.yml is not a mapping. Begin it with `services:`."),
        ("a: 1\nb: !merge [c]", "docker-compose.yml, line 2: the tag !merge is not"),
        ("a:\n  - !reset b", "docker-compose.yml, line 2: the tag !reset is not supported in"),
        ("!override {a: b}", "docker-compose.yml, line 1: the tag !override is not supported"),
        ("a: &a {b: *a}", "docker-compose.yml, line 1: an alias refers to what it is in."),
        (
            "a: &a [x, x, x, x, x, x, x, x]\n"
            + "\n".join(
                f"{one}: &{one} [{', '.join([f'*{other}'] * 8)}]"
                for one, other in zip("bcdefg", "abcdef", strict=True)
            ),
            "docker-compose.yml, line 1: with its aliases the file has more than 100000 parts.",
        ),
    ],
)  # fmt: skip
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
