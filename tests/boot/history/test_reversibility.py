"""Which downgrades cannot be run, by the code alone."""

import pytest

from alembic_boot.history.source import why_irreversible

UPGRADE = "def upgrade():\n    op.drop_table('books')\n"

NONE = "it has no downgrade()"
EMPTY = "its downgrade() is empty"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("", NONE),
        ("class Downgrade: pass", NONE),
        ("class Book:\n    def title(self): pass", NONE),
        ("downgrades = ()", NONE),
        ("# def downgrade(): pass", NONE),
    ],
)
def test_no_downgrade(code: str, reason: str) -> None:
    """Alembic finds no function of this name."""
    assert reason == why_irreversible(UPGRADE + code)


@pytest.mark.parametrize(
    "code",
    [
        "from shared import downgrade",
        "from shared import nothing as downgrade",
        "from shared import *",
        "downgrade = make(upgrade)",
        "downgrade: object = upgrade",
        "if True:\n    def downgrade(): op.create_table('books')",
        "if True:\n    async def downgrade(): pass",
    ],
)
def test_a_downgrade_that_is_not_seen(code: str) -> None:
    """What comes from elsewhere cannot be judged, and gets the benefit of the doubt."""
    assert why_irreversible(UPGRADE + code) is None


@pytest.mark.parametrize(
    ("body", "raised"),
    [
        ("raise NotImplementedError", " NotImplementedError"),
        ("raise NotImplementedError()", " NotImplementedError"),
        ("raise NotImplementedError('no way back') from None", " NotImplementedError"),
        ("raise alembic.util.CommandError('no way back')", " CommandError"),
        ("'''Gone.'''\n    raise RuntimeError", " RuntimeError"),
        ("op.drop_table('a')\n    raise RuntimeError", " RuntimeError"),
        ("if a:\n        op.drop_table('a')\n    raise RuntimeError", " RuntimeError"),
        ("raise", ""),
        ("raise refusal", ""),
        ("raise refusal('no way back')", ""),
        ("raise errors[0]", ""),
    ],
)
def test_a_downgrade_that_raises(body: str, raised: str) -> None:
    """It raises whatever happens; the exception's name says what for."""
    reason = why_irreversible(f"{UPGRADE}def downgrade():\n    {body}")
    assert reason == f"its downgrade() raises{raised}"


@pytest.mark.parametrize(
    "body",
    [
        "op.create_table('books')",
        "if is_needed():\n        raise RuntimeError",
        "if not is_needed():\n        return\n    raise RuntimeError",
        "return op.create_table('books')\n    raise RuntimeError",
        "def refuse():\n        raise RuntimeError\n    op.create_table('books')",
        "try:\n        raise RuntimeError\n    except RuntimeError:\n        op.create_table('a')",
    ],
)
def test_a_downgrade_that_may_work(body: str) -> None:
    """One that raises in some cases, or only looks as if, can be run."""
    assert why_irreversible(f"{UPGRADE}def downgrade():\n    {body}") is None


EMPTY_BODIES = [
    "pass",
    "...",
    "'''Nothing.'''",
    "'''Nothing.'''\n    pass",
    "return",
    "return None",
]


@pytest.mark.parametrize("body", EMPTY_BODIES)
def test_an_empty_downgrade(body: str) -> None:
    """It runs, and takes nothing back."""
    assert why_irreversible(f"{UPGRADE}def downgrade():\n    {body}") == EMPTY


@pytest.mark.parametrize("body", EMPTY_BODIES)
@pytest.mark.parametrize("upgrade", [f"def upgrade(): {body}" for body in ("pass", "...")])
def test_an_empty_downgrade_of_nothing(upgrade: str, body: str) -> None:
    """Where the upgrade does nothing, as in a merge, nothing is what takes it back."""
    assert why_irreversible(f"{upgrade}\n\ndef downgrade():\n    {body}") is None


@pytest.mark.parametrize(
    ("constant", "reason"),
    [
        ("downgrade_is_empty = 'the rows are of use to the old code'", None),
        ("downgrade_is_empty: str = 'why'", None),
        ("downgrade_is_empty = ' '", EMPTY),
        ("downgrade_is_empty = True", EMPTY),
        ("downgrade_is_empty: str", EMPTY),
    ],
)
def test_an_empty_downgrade_that_is_declared(constant: str, reason: str | None) -> None:
    """The revision has to say why."""
    assert why_irreversible(f"{constant}\n{UPGRADE}def downgrade(): pass") == reason


def test_an_empty_downgrade_of_something_unseen() -> None:
    """An upgrade from elsewhere may be empty too."""
    assert why_irreversible("from shared import upgrade\ndef downgrade(): pass") is None


def test_the_last_definition_counts() -> None:
    """Python binds a name to what was defined last."""
    first, last = "def downgrade(): raise RuntimeError\n", "def downgrade(): op.create_table('a')\n"
    assert why_irreversible(UPGRADE + first + last) is None
    assert why_irreversible(UPGRADE + last + first) == "its downgrade() raises RuntimeError"


def test_a_file_that_is_no_python() -> None:
    """A syntax error is the caller's to explain."""
    with pytest.raises(SyntaxError):
        why_irreversible("def downgrade(:")
