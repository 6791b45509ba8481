"""A header read from a file's text is the one that importing the file gives, or none."""

from pathlib import Path
from typing import Any

import pytest
from alembic.util import load_python_file
from hypothesis import given, strategies as st

from alembic_boot.history.checksum import file_sha256
from alembic_boot.history.headers import read_revision
from alembic_boot.history.history import Revision, title

PLAIN = 'revision = "a1"\ndown_revision = "a0"\n'


def read(source: str) -> Revision | None:
    return read_revision(source.encode(), "/a1.py")


def imported(source: str, folder: Path) -> Revision:
    path = folder / "a1.py"
    path.write_bytes(source.encode())
    module: Any = load_python_file(folder, path.name)
    return revision_of(vars(module), source)


def revision_of(module: dict[str, Any], source: str) -> Revision:
    def names(name: str) -> tuple[str, ...]:
        value = module.get(name) or ()
        return (value,) if isinstance(value, str) else tuple(value)

    return Revision(
        module["revision"],
        names("down_revision"),
        title(module.get("__doc__"), module["revision"]),
        names("depends_on"),
        names("branch_labels"),
        module.get("phase"),
        "/a1.py",
        file_sha256(source.encode()),
    )


@pytest.mark.parametrize(
    "source",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        "\ufeff" + PLAIN,
        "# -*- coding: utf-8 -*-\n" + PLAIN,
        "#!/usr/bin/env python\n# coding: utf8\n" + PLAIN,
        '"""What it does.\n\nrevision = "b2"\ndown_revision = "b1"\n"""\n' + PLAIN,
        "'''What it does.'''  # briefly\n" + PLAIN,
        '"What it does."\n' + PLAIN,
        'r"""Back\\slash."""\n' + PLAIN,
        '"""Back\\x41slash "quoted"."""\n' + PLAIN,
        "# revision = 'b2'\n" + PLAIN,
        "# What it does.\n\n" + '"""After a comment."""\n' + PLAIN,
        "import sqlalchemy as sa\nfrom alembic import op\n\n" + PLAIN,
        "from typing import (\n    Union,\n)\n" + PLAIN,
        "from __future__ import annotations\n" + PLAIN,
        "from typing import Union\nrevision: str = 'a1'\ndown_revision: Union[str, None] = None\n",
        "revision: 'str' = 'a1'\ndown_revision: 'str | None' = None\n",
        "revision: str\n" + PLAIN,
        PLAIN + "\uff52evision = 'b2'\n",
        "revision = 'a1'  # the newest\ndown_revision = None#none\n",
        "revision = 'a#1'\ndown_revision = None\n",
        "revision = 'a' '1'\ndown_revision = None\n",
        "revision = ('a1')\ndown_revision = ('a0')\n",
        "revision = '''a1'''\ndown_revision = '\\x61'\n",
        "revision = u'a1'\ndown_revision = None\n",
        "revision = 'a1'; down_revision = 'a0'\n",
        "revision = \\\n    'a1'\ndown_revision = None\n",
        "revision = (\n    'a1'\n)\ndown_revision = (\n    'a0',\n    'b0',\n)\n",
        "revision = 'a1'\ndown_revision = ('a0', 'b0')\n",
        "revision = 'a1'\ndown_revision = ['a0', 'b0']\n",
        "revision = 'a1'\ndown_revision = 'a0',\n",
        "revision = 'a1'\ndown_revision = ()\n",
        "revision = 'a1'\nrevision = 'a2'\ndown_revision = None\n",
        PLAIN + "depends_on = ('c1', 'main')\nbranch_labels = ['x']\nphase = 'expand'\n",
        PLAIN + "phase = None\n",
        PLAIN + "\ndef upgrade():\n    pass\n\n\ndef downgrade():\n    pass\n",
        PLAIN + "def upgrade():\n    '''Set the revision.'''\n    revision = 'b2'\n",
        PLAIN + 'TEXT = """\nrevision = "b2"\n"""\n',
        PLAIN + "kind = dict(revision='b2')\n",
        'TEXT = """\nrevision = "b2"\n"""\n' + PLAIN,
        "kind = dict(\nrevision='b2', down_revision='b1'\n)\n" + PLAIN,
        PLAIN + "class Table:\n    revision = 'b2'\n",
        PLAIN + "def upgrade(revision='b2'):\n    pass\n",
        PLAIN + "def upgrade():\n    x = [revision for revision in 'bc']\n",
        PLAIN + "# 한국어 설명\ndef upgrade():\n    print('한국어')\n",
    ],
)
def test_plain_files(source: str, tmp_path: Path) -> None:
    """What stands there as plain text is read, and equals what the import gives."""
    found = read(source)
    assert found is None or found == imported(source, tmp_path)
    is_left_to_alembic = any(
        word in source for word in ("class Table", "    revision =", "for revision")
    )
    assert (found is None) == is_left_to_alembic


@pytest.mark.parametrize(
    "source",
    [
        "",
        "revision = 'a1'\n",
        "down_revision = 'a1'\n",
        "revision = ''\ndown_revision = None\n",
        "revision = 7\ndown_revision = None\n",
        "revision = None\ndown_revision = None\n",
        "revision = b'a1'\ndown_revision = None\n",
        "revision = f'a{1}'\ndown_revision = None\n",
        "revision = 'a%d' % 1\ndown_revision = None\n",
        "revision = ID = 'a1'\ndown_revision = None\n",
        "ID = 'a1'\nrevision = ID\ndown_revision = None\n",
        "revision, down_revision = 'a1', None\n",
        "revision = down_revision = 'a1'\n",
        "revision = 'a1'\ndown_revision = {'a0'}\n",
        "revision = 'a1'\ndown_revision = ('a0', None)\n",
        "revision = 'a1'\ndown_revision = __import__('os').environ.get('PARENT')\n",
        "from ids import revision\ndown_revision = None\n",
        PLAIN + "from ids import revision\n",
        PLAIN + "import ids as down_revision\n",
        PLAIN + "from ids import *\n",
        PLAIN + "from ids import \\\n    *\n",
        PLAIN + "revision += 'x'\n",
        PLAIN + "del down_revision\n",
        PLAIN + "if True:\n    revision = 'b2'\n",
        "if True:\n    revision = 'b2'\n    down_revision = None\n",
        PLAIN + "try:\n    import x\nexcept ImportError:\n    revision = 'b2'\n",
        PLAIN + "for revision in 'bc':\n    pass\n",
        PLAIN + "while False:\n    pass\n",
        PLAIN + "with open('x') as revision:\n    pass\n",
        PLAIN + "(revision := 'b2')\n",
        PLAIN + "x = (revision := 'b2')\n",
        PLAIN + "x = [(revision := y) for y in 'bc']\n",
        PLAIN + "def f(x=(revision := 'b2')):\n    pass\n",
        PLAIN + "def revision():\n    pass\n",
        PLAIN + "class phase:\n    pass\n",
        PLAIN + "def __getattr__(name):\n    return 'expand'\n",
        PLAIN + "def change():\n    global revision\n    revision = 'b2'\nx = change()\n",
        PLAIN + "globals()['revision'] = 'b2'\n",
        PLAIN + "x = globals().update(dict(zip(['rev' + 'ision'], ['b2'])))\n",
        PLAIN + "x = vars().update({'rev' + 'ision': 'b2'})\n",
        PLAIN + "x = exec('rev' + 'ision = 1')\n",
        PLAIN + "exec('rev' + 'ision = 1')\n",
        PLAIN + "from builtins import exec as run\nx = run('rev' + 'ision = 1')\n",
        PLAIN + "x = __import__('sys').modules[__name__]\nx.revision = 'b2'\n",
        PLAIN + "import sys\nx = setattr(sys.modules[__name__], 'rev' + 'ision', 1)\n",
        PLAIN + "__doc__ = 'Something else.'\n",
        PLAIN + "change()\n",
        PLAIN + "@change\ndef upgrade():\n    pass\n",
        PLAIN + "match 'b2':\n    case revision:\n        pass\n",
        PLAIN + "raise SystemExit\n",
        PLAIN + "assert True\n",
        PLAIN + "\0",
        "# coding: latin-1\n" + PLAIN,
        "\f# coding: latin-1\n" + PLAIN,
        "\f\n# coding: latin-1\n" + PLAIN,
        "# coding: utf-8.latin\n" + PLAIN,
        "#!/usr/bin/env python\n# vim: set fileencoding=cp1252 :\n" + PLAIN,
        " " + PLAIN,
    ],
)
def test_traps(source: str) -> None:
    """What is computed, or may be changed by something else in the file, is left to Alembic."""
    assert read(source) is None


def test_not_utf8() -> None:
    """Alembic has to say what is wrong with the bytes."""
    assert read_revision(b'"""\xe9"""\n' + PLAIN.encode(), "/a1.py") is None


LINES = st.sampled_from(
    [
        'revision = "b2"',
        "revision: str = 'b3'",
        "down_revision = None",
        'down_revision = ("a", "b")',
        "depends_on = 'x'",
        "phase = 'expand'",
        "# phase = 'contract'",
        '"""',
        "'''",
        "TEXT = '''",
        "'''  # end",
        "import os",
        "def f():",
        "    return 1",
        "    revision = 'local'",
        "x = 1",
        "x = (",
        ")",
        "if x:",
        "else:",
        "x = [",
        "]",
        "x = \\",
        "revision += 'c'",
        "x = revision",
        "(phase := 'z')",
        "class A:",
        "",
        "#",
        "\f",
        "    \\",
    ]
)


@given(st.lists(LINES, max_size=12), st.sampled_from(["", PLAIN, '"""Doc."""\n']))
def test_any_file(lines: list[str], opening: str) -> None:
    """Whatever is read of a file is what running the file comes to."""
    source = opening + "\n".join(lines)
    found = read(source)
    if found is None:
        return
    module: dict[str, Any] = {"__name__": "a_revision", "__doc__": None}
    try:
        exec(compile(source, "a1.py", "exec"), module)
    except (SyntaxError, NameError, TypeError):
        return  # the revision is refused when it is to run
    assert found == revision_of(module, source)
