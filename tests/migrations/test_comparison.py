"""In what the models and a schema differ, in words; and when nothing of it is said."""

import pytest

from alembic_boot.checking import comparison
from alembic_boot.checking.comparison import Comparison, compare
from alembic_boot.description import BootDescription
from backend.settings import load_settings
from tests.migrations.migrated import Migrated
from tests.migrations.project import ROOT

pytestmark = pytest.mark.slow  # each test has a database of its own


def description(migrated: Migrated, **variables: str) -> BootDescription:
    url = migrated.cluster.url(migrated.database)
    given = {"APP_ENV": "test", "ALEMBIC_CONFIG": str(ROOT / "alembic.ini"), "DATABASE_URL": url}
    return load_settings({**given, **variables}).description()


def test_what_the_history_makes_is_what_the_models_are(migrated: Migrated) -> None:
    """On every supported server: no default, no enum and no name is another one there."""
    migrated.upgrade("head")
    assert compare(description(migrated)) == Comparison()


BOTH = "differs between the models and the schema"
MODELS = "is in the models and not in the schema"
SCHEMA = "is in the schema and not in the models"

CHANGES = {
    "ALTER TABLE books DROP cover_image": [f"column books.cover_image {MODELS}"],
    "ALTER TABLE books ADD tagline text": [f"column books.tagline {SCHEMA}"],
    "ALTER TABLE books ALTER title TYPE varchar(7)": [
        "column books.title is TEXT in the models and VARCHAR(7) in the schema"
    ],
    "ALTER TABLE books ALTER title DROP NOT NULL": [
        "column books.title is NOT NULL in the models and NULL in the schema"
    ],
    "ALTER TABLE books ALTER genre SET NOT NULL": [
        "column books.genre is NULL in the models and NOT NULL in the schema"
    ],
    "ALTER TABLE users ALTER is_active SET DEFAULT false": [
        "column users.is_active has different defaults in the models and in the schema"
    ],
    "DROP TABLE audios": [f"table audios {MODELS}"],
    "ALTER TABLE users DROP CONSTRAINT uq_users_email": [
        f"unique constraint uq_users_email on users {MODELS}"
    ],
    "ALTER TABLE books ADD CONSTRAINT uq_books_title UNIQUE (title)": [
        f"unique constraint uq_books_title on books {SCHEMA}"
    ],
    "ALTER TABLE books DROP CONSTRAINT fk_books_user_id_users": [
        f"foreign key constraint fk_books_user_id_users on books {MODELS}"
    ],
    "ALTER TYPE voice_status RENAME VALUE 'failed' TO 'broken'": [
        f"label 'failed' of enum voice_status {MODELS}"
    ],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_difference(head: Migrated, change: str) -> None:
    head.execute(change)
    tables = {"users", "books", "audios"}.intersection(change.split())
    assert compare(description(head)) == Comparison(tuple(CHANGES[change]), tables=tuple(tables))


def test_what_requests_can_do_without(head: Migrated) -> None:
    """A table or an index of somebody's own does no harm to them; a journal is nobody's."""
    head.execute("CREATE TABLE notes (id int PRIMARY KEY, text text)")
    head.execute("CREATE INDEX ix_notes_text ON notes (text)")
    head.execute("CREATE INDEX ix_books_title ON books (title)")
    assert compare(description(head)) == Comparison(
        (),
        (f"table notes {SCHEMA}", f"index ix_books_title on books {SCHEMA}"),
        tables=("notes", "books"),
    )


def test_an_index_that_was_changed_is_named_once(head: Migrated) -> None:
    [(name,), *_] = head.rows(
        "SELECT indexname FROM pg_indexes WHERE tablename = 'books' AND indexname LIKE 'ix%'"
    )
    head.execute(f"DROP INDEX {name}; CREATE INDEX {name} ON books (theme)")
    assert compare(description(head)) == Comparison(
        (f"index {name} on books {BOTH}",), tables=("books",)
    )


@pytest.mark.parametrize("target", ["007", ""])
def test_a_schema_that_is_not_at_head(head: Migrated, target: str) -> None:
    """The models do not describe it: readiness knows by itself whether it is where it should be."""
    head.downgrade("007")
    assert compare(description(head, MIGRATION_TARGET=target)) == Comparison(is_at_head=False)


def test_a_comparison_that_fails(head: Migrated, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says where, and nothing of a difference."""

    def fail(_context: object) -> list[object]:
        raise KeyError("nothing")

    monkeypatch.setattr(comparison, "operations", fail)
    found = compare(description(head))
    assert found.differences == found.beyond == ()
    assert found.failure is not None
    assert "test_comparison.py, line " in found.failure
    assert "KeyError: there is no 'nothing'" in found.failure
