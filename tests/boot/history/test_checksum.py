"""The hashes of a revision's file: what changes them, and what does not."""

import ast
import subprocess
from hashlib import sha256
from pathlib import Path
from shutil import which

import pytest
from hypothesis import given, settings, strategies as st

from alembic_boot.history import checksum
from alembic_boot.history.checksum import code_checksum, file_sha256, upgrade_checksum

CODE = '''
"""Books."""

import sqlalchemy as sa
from alembic import op

phase = "expand"
SIZES = {**{"small": 1}, "large": -2.5}


def upgrade(*, bind=None, **options) -> None:
    """Make the table."""
    op.create_table("books", sa.Column("id", sa.Integer()), schema=None)
    op.execute(f"INSERT INTO {SIZES!r:>{10}} VALUES ('a', 'b')")
    del bind, options


class Size:
    """How large a book is."""

    small = 1
'''

SAME = {
    "a comment": ('phase = "expand"', 'phase = "expand"  # a new table'),
    "the module's docstring": ('"""Books."""', '"""Books, with\n\ntheir pages."""'),
    "no docstring of the module": ('"""Books."""', ""),
    "a function's docstring": ('"""Make the table."""', "'Make it.'"),
    "no docstring of a function": ('    """Make the table."""\n', ""),
    "a class's docstring": ('"""How large a book is."""', '"""The size."""'),
    "quotes": ('"books"', "'books'"),
    "a raw string": ('"books"', 'r"books"'),
    "the u of a string": ('"books"', 'u"books"'),
    "an escape": ('"books"', '"b\\x6foks"'),
    "a string in two pieces": ('"books"', '"bo" "oks"'),
    "an f-string in two pieces": ("VALUES ('a'", "VALUES ('\" \"a'"),
    "a trailing comma": ("schema=None)", "schema=None,)"),
    "line breaks": ('"books", sa', '\n        "books",\n        sa'),
    "brackets": ('phase = "expand"', 'phase = ("expand")'),
    "brackets after del": ("del bind, options", "del (bind, options)"),
    "another notation of a number": ("-2.5", "-25e-1"),
    "a type comment": ("small = 1", "small = 1  # type: int"),
    "line ends": ("\n", "\r\n"),
    "empty lines": ("\n\n", "\n\n\n"),
    "an empty format": ("!r:>{10}", "!r:>{10:}"),
}

OTHER = {
    "a string": ("('a', 'b')", "('a', 'c')"),
    "a space in a string": ("('a', 'b')", "('a','b')"),
    "a name": ("create_table", "drop_table"),
    "the name of a column": ('"id"', '"ID"'),
    "a number": ("-2.5", "-2.6"),
    "a sign": ("-2.5", "+2.5"),
    "the type of a number": ('"small": 1', '"small": 1.0'),
    "a truth": ('"small": 1', '"small": True'),
    "bytes": ('"books"', 'b"books"'),
    "the phase": ('"expand"', '"contract"'),
    "a conversion": ("!r", "!s"),
    "a format": ("{10}", "{11}"),
    "text for an expression": ("{SIZES!r:>{10}}", "SIZES"),
    "a string for an f-string": ("op.execute(f", "op.execute("),
    "an argument": (", schema=None", ""),
    "a default": ("bind=None", "bind"),
    "a parameter by position": ("*, bind", "bind"),
    "a key": ("**{", '"a": {'),
    "an annotation": (" -> None", ""),
    "a statement": ("    del bind, options\n", ""),
    "what is deleted": ("del bind, options", "del options, bind"),
    "an index": ("del bind, options", "del (bind, options)[0]"),
    "a string that is no docstring": ("    small = 1", '    small = 1\n    "one"'),
}


@pytest.mark.parametrize("name", SAME)
def test_what_does_not_change_the_code(name: str) -> None:
    """The same code written otherwise has the same checksum."""
    old, new = SAME[name]
    assert old in CODE
    assert code_checksum(CODE) == code_checksum(CODE.replace(old, new).encode())


@pytest.mark.parametrize("name", OTHER)
def test_what_changes_the_code(name: str) -> None:
    """Other code has another checksum, however small the change."""
    old, new = OTHER[name]
    assert old in CODE
    assert code_checksum(CODE) != code_checksum(CODE.replace(old, new))


BESIDE_THE_UPGRADE = {
    "the phase": ('"expand"', '"contract"'),
    "no phase": ('phase = "expand"\n', ""),
    "another phase with a type": ("phase =", "phase: str ="),
    "the parent": ("SIZES =", 'down_revision = "007"\nSIZES ='),
    "the parent with a type": ("SIZES =", 'down_revision: str | None = "007"\nSIZES ='),
    "a branch's label": ("SIZES =", 'branch_labels = ("side",)\nSIZES ='),
    "the downgrade": ("class Size", 'def downgrade() -> None:\n    op.drop("x")\n\n\nclass Size'),
    "a comment": ('phase = "expand"', 'phase = "expand"  # a new table'),
    "the module's docstring": ('"""Books."""', ""),
    "an annotation of a function": (" -> None", ""),
    "an annotation of a parameter": ("bind=None", 'bind: "Connection | None" = None'),
    "an annotation of a constant": ("SIZES =", "SIZES: dict[str, float] ="),
    "an import that nothing uses": ("phase", "from typing import Sequence, Union\n\nphase"),
    "the order of imports": (
        "import sqlalchemy as sa\nfrom alembic import op",
        "from alembic import op\nimport sqlalchemy as sa",
    ),
}

_NOT_THE_UPGRADE = {"the phase", "an annotation"}

THE_UPGRADE = {name: OTHER[name] for name in OTHER if name not in _NOT_THE_UPGRADE} | {
    "where a name comes from": ("from alembic import op", "from tests import op"),
    "a name's own name": ("import sqlalchemy as sa", "import alembic as sa"),
    "everything of a module": ("from alembic import op", "from alembic.op import *"),
    "what it depends on": ("SIZES =", 'depends_on = "x1"\nSIZES ='),
    "a method called downgrade": ("    small = 1", "    def downgrade(self): ..."),
    "a phase in a function": ("    del bind", '    phase = "expand"\n    del bind'),
    "a string for a docstring": ('"""Books."""\n', '"""Books."""\n"a string"\n'),
}


@pytest.mark.parametrize("name", BESIDE_THE_UPGRADE)
def test_what_does_not_change_the_upgrade(name: str) -> None:
    """A revision's place, its phase and its downgrade can be fixed when it is applied."""
    old, new = BESIDE_THE_UPGRADE[name]
    assert old in CODE
    assert upgrade_checksum(CODE) == upgrade_checksum(CODE.replace(old, new))


@pytest.mark.parametrize("name", THE_UPGRADE)
def test_what_changes_the_upgrade(name: str) -> None:
    """Everything else may change the schema that comes of it."""
    old, new = THE_UPGRADE[name]
    assert old in CODE
    assert upgrade_checksum(CODE) != upgrade_checksum(CODE.replace(old, new))


def test_all_of_these_differ_among_themselves() -> None:
    """No change looks like another one."""
    sums = {code_checksum(CODE.replace(old, new)) for old, new in OTHER.values()}
    assert len(OTHER) == len(sums)


def test_the_order_of_statements() -> None:
    """Steps that change places are other code."""
    assert code_checksum("a()\nb()") != code_checksum("b()\na()")


def test_text_and_bytes() -> None:
    """A file is the same code as bytes or as text, with a byte order mark or without."""
    source = "title = 'Märchen'  # für Kinder"
    marked = "\ufeff" + source
    variants: list[str | bytes] = [
        source,
        source.encode(),
        marked,
        marked.encode(),
        source.replace("ä", "\\xe4"),
    ]
    assert len({code_checksum(variant) for variant in variants}) == 1
    latin = f"# coding: latin-1\n{source}".encode("latin-1")
    assert code_checksum(source) == code_checksum(latin)


def test_a_file_that_is_no_python() -> None:
    """A syntax error is the caller's to explain."""
    with pytest.raises(SyntaxError):
        code_checksum("def upgrade(:")


def test_a_file_that_python_would_warn_of() -> None:
    """Whoever imported the file has been warned; every warning is an error in these tests."""
    assert code_checksum(r'a = "\d"') == code_checksum(r'a = "\\d"')


def test_a_long_sum() -> None:
    """Depth is no matter: a text put together from many pieces is as deep as it is long."""
    assert len(code_checksum("a = " + " + ".join(["'x'"] * 900))) == 64


def test_the_files_hash_is_that_of_its_bytes() -> None:
    """Known values, as sha256sum prints them."""
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert file_sha256(b"") == empty
    assert file_sha256(CODE.encode()) == sha256(CODE.encode()).hexdigest()


def test_a_checksum_outlives_the_python_that_made_it() -> None:
    """A known value: a checksum in somebody's journal must be found again years later."""
    assert code_checksum(CODE) == KNOWN


KNOWN = "39d6a3796eb1de57bcc5bd545990b851e02153de8020ab64778cd601a7b657bb"


def other_pythons() -> list[str]:
    """Return the other Pythons of this machine; the known value above stands for all others."""
    found = [path for minor in range(12, 20) if (path := which(f"python3.{minor}"))]
    runs = [subprocess.run([path, "-c", ""], check=False, capture_output=True) for path in found]
    return [path for path, run in zip(found, runs, strict=True) if run.returncode == 0]


@pytest.mark.slow
def test_other_pythons_agree() -> None:
    """Whatever Python is installed finds the same checksum."""
    code = "import runpy, sys; print(runpy.run_path(sys.argv[1])['code_checksum'](sys.argv[2]))"
    for python in other_pythons():
        command = [python, "-c", code, str(Path(checksum.__file__)), CODE]
        finished = subprocess.run(command, check=False, capture_output=True, text=True)
        assert finished.stdout == f"{KNOWN}\n", (python, finished.stderr)


names = st.text("ab_é", min_size=1, max_size=3)
constants = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(0, allow_infinity=False), st.text()
)
nodes = st.recursive(
    st.builds(ast.Constant, constants) | st.builds(ast.Name, names, st.builds(ast.Load)),
    lambda inner: st.one_of(
        st.builds(ast.Tuple, st.lists(inner, max_size=3), st.builds(ast.Load)),
        st.builds(ast.BinOp, inner, st.builds(ast.Add), inner),
        st.builds(ast.Dict, st.lists(inner, max_size=2), st.lists(inner, min_size=2, max_size=2)),
    ).filter(lambda node: not isinstance(node, ast.Dict) or len(node.keys) == len(node.values)),
    max_leaves=8,
)


def written(node: ast.expr) -> str:
    return f"value = {ast.unparse(node)}"


@settings(deadline=None)
@given(nodes, nodes)
def test_two_codes_have_one_checksum_where_they_are_the_same(one: ast.expr, two: ast.expr) -> None:
    """The walk tells apart exactly what Python's own tells apart."""
    codes = written(one), written(two)
    trees = [ast.dump(ast.parse(code)) for code in codes]
    sums = [code_checksum(code) for code in codes]
    assert (trees[0] == trees[1]) is (sums[0] == sums[1])


@settings(deadline=None)
@given(nodes)
def test_writing_the_code_anew_changes_nothing(node: ast.expr) -> None:
    """Whatever the code, its formatting is no part of it."""
    code = written(node)
    assert code_checksum(code) == code_checksum(f"value = (\n  {ast.unparse(node)}  # so\n)\n")


OWN_DOWNGRADE = "def upgrade():\n    downgrade()\n\n\ndef downgrade():\n    op.drop('one')\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (OWN_DOWNGRADE, OWN_DOWNGRADE.replace("one", "two")),
        (
            "phase = 'a'\ndef upgrade(): op.go(phase)\n",
            "phase = 'b'\ndef upgrade(): op.go(phase)\n",
        ),
        ('"""a"""\ndef upgrade(): op.go(__doc__)\n', '"""b"""\ndef upgrade(): op.go(__doc__)\n'),
        (
            "def upgrade():\n    'a'\n    op.go(upgrade.__doc__)\n",
            "def upgrade():\n    'b'\n    op.go(upgrade.__doc__)\n",
        ),
    ],
)
def test_what_the_upgrade_uses(before: str, after: str) -> None:
    """A part that is left out elsewhere counts if the upgrade runs or reads it."""
    assert upgrade_checksum(before) != upgrade_checksum(after)
