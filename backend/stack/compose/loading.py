"""One Compose file as YAML: its content, its lines, its `!reset` and `!override` tags."""

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from alembic_boot.errors import ConfigurationError

Content = dict[str, Any]
Where = tuple[str, ...]
"""The keys that lead to a part of a file."""


@dataclass(frozen=True)
class Document:
    """The contents of one file."""

    name: str
    """The file's name."""
    content: Content = field(repr=False)
    cleared: tuple[Where, ...] = ()
    """Parts with `!reset` or `!override`: values of earlier files for them do not count."""
    lines: Mapping[Where, int] = field(default_factory=dict, repr=False)

    def place(self, where: Sequence[str]) -> str:
        """Return `NAME, line N` for a part, or for its parent."""
        for length in range(len(where), 0, -1):
            if line := self.lines.get(tuple(where[:length])):
                return f"{self.name}, line {line}"
        return self.name


class Unquoted(str):
    """A text without quotes that YAML reads as another type and Compose writes differently."""

    __slots__ = ()


_UNQUOTED = "tag:unquoted"
_TAGS = ("!reset", "!override")
_MOST = 100_000
"""Largest number of parts of a file: nested aliases may expand to more than fits in memory."""


class _Loader(yaml.SafeLoader):
    """Reads scalars as plain text: the model decides about values such as `on` or `1e3`.

    Two equal keys in one mapping are an error.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own form)
        first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":null", ":merge"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_scalar_node(self, anchor: Any) -> yaml.ScalarNode:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        node = super().compose_scalar_node(anchor)
        is_plain = isinstance(event, yaml.ScalarEvent) and event.tag is None and not event.style
        if is_plain and is_rewritten(node.value):
            node.tag = _UNQUOTED
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # not usable as a key, as PyYAML will report
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} occurs twice", key.start_mark
                )
            # `<<` may occur several times.
            seen.update([] if key.tag.endswith(":merge") else [key.value])
        return super().construct_mapping(node, deep)


def _unquoted(loader: _Loader, node: yaml.Node) -> Unquoted:
    return Unquoted(loader.construct_scalar(node))  # type: ignore[arg-type]


_Loader.add_constructor(_UNQUOTED, _unquoted)


def is_rewritten(text: str) -> bool:
    """Return whether YAML reads a text as a number, boolean or date and writes it differently.

    Compose passes such a value on in its own form: `0755` as 493, `1.10` as 1.1.
    """
    if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text):
        return False
    if re.fullmatch(r"-?(0|[1-9][0-9]*)\.[0-9]*[1-9]", text):
        return repr(float(text)) != text
    return (
        re.fullmatch(
            r"[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)"
            r"|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
            r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
            r"|True|TRUE|False|FALSE"
            r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?",
            text,
        )
        is not None
    )


def read_document(path: Path) -> Document:
    """Return the content of a file, before interpolation. Raises ConfigurationError."""
    try:
        return _read(path.name, path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{path.name} does not exist.", "Set COMPOSE_FILE, or run this in the file's folder."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path.name} cannot be read: {error}.", "Correct it.") from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigurationError(
            f"{path.name} is not valid YAML: {line}{error.problem}.", "Correct it."
        ) from error
    except yaml.YAMLError as error:
        raise ConfigurationError(
            f"{path.name} is not valid YAML: {error}.", "Correct it."
        ) from error


def _read(name: str, text: str) -> Document:
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if not isinstance(root, yaml.MappingNode):
            raise ConfigurationError(f"{name} is not a mapping.", "Begin it with `services:`.")
        found = _Survey(name)
        found.check_tag(root, ())
        found.visit(root, ())
        _take_tags_out(root, set())
        content = loader.construct_document(root)
    finally:
        loader.dispose()
    return Document(name, content, tuple(found.cleared), found.lines)


class _Survey:
    """Notes the lines of a file's keys and the places of its tags."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cleared: list[Where] = []
        self.lines: dict[Where, int] = {}
        self._above: list[yaml.Node] = []

    def visit(self, node: yaml.Node, where: Where) -> None:
        if any(it is node for it in self._above):
            raise self._refusal(node, "an alias refers to what it is in")
        if len(self.lines) > _MOST:
            raise self._refusal(node, f"with its aliases the file has more than {_MOST} parts")
        self._above.append(node)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._visit_pair(key, value, where)
        elif isinstance(node, yaml.SequenceNode):
            for number, item in enumerate(node.value):
                self.check_tag(item, ())
                self.lines.setdefault((*where, str(number)), item.start_mark.line + 1)
                self.visit(item, (*where, str(number)))
        self._above.pop()

    def _visit_pair(self, key: yaml.Node, value: yaml.Node, where: Where) -> None:
        if key.tag.endswith(":merge"):
            parts = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for part in parts:
                self.visit(part, where)
            return
        self.check_tag(value, _TAGS)
        inner = (*where, str(key.value))
        self.lines.setdefault(inner, key.start_mark.line + 1)
        if value.tag in _TAGS:
            self.cleared.append(inner)
        if value.tag != "!reset":
            self.visit(value, inner)

    def check_tag(self, node: yaml.Node, known: tuple[str, ...]) -> None:
        if not node.tag.startswith("!") or node.tag in known:
            return
        where = "in a list" if node.tag in _TAGS else "here"
        raise self._refusal(node, f"the tag {node.tag} is not supported {where}")

    def _refusal(self, node: yaml.Node, what: str) -> ConfigurationError:
        line = node.start_mark.line + 1
        return ConfigurationError(f"{self.name}, line {line}: {what}.", "Write it in another way.")


def _take_tags_out(node: yaml.Node, done: set[int]) -> None:
    """Drop parts tagged `!reset`, and remove the tag from parts tagged `!override`."""
    if id(node) in done:
        return
    done.add(id(node))
    if node.tag == "!override":
        node.tag = _tag_without(node)
    if isinstance(node, yaml.MappingNode):
        node.value = [(key, value) for key, value in node.value if value.tag != "!reset"]
        for _, value in node.value:
            _take_tags_out(value, done)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _take_tags_out(item, done)


def _tag_without(node: yaml.Node) -> str:
    """Return the tag that a node has without an explicit tag."""
    if isinstance(node, yaml.MappingNode):
        return _Loader.DEFAULT_MAPPING_TAG
    if isinstance(node, yaml.SequenceNode):
        return _Loader.DEFAULT_SEQUENCE_TAG
    is_plain = isinstance(node, yaml.ScalarNode) and not node.style
    is_null = is_plain and node.value in ("", "~", "null", "Null", "NULL")
    return "tag:yaml.org,2002:null" if is_null else _Loader.DEFAULT_SCALAR_TAG
