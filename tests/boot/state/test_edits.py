"""Which applied revisions the files on disk do not describe any more, and what is said of them."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from alembic_boot.history.checksum import code_checksum, file_sha256, upgrade_checksum
from alembic_boot.history.history import History, Revision, Target
from alembic_boot.state.edits import fingerprint, replaced_revisions
from alembic_boot.state.inspection import DatabaseFacts, SchemaState, inspect
from alembic_boot.state.journal_rows import Applied
from alembic_boot.state.refusals import refuse_replaced, way_back

BEFORE = b"""
phase = "contract"


def upgrade():
    op.add_column("users", "nickname")


def downgrade():
    op.drop_column("users", "nickname")
"""
OTHER = BEFORE.replace(b"nickname", b"motto")

UNREADABLE = {
    "a syntax error": BEFORE.replace(b"()", b"(", 1),
    "a null byte": b"\0",
    "another encoding": b"\xff",
    "nothing": b"",
}

WHEN = datetime(2026, 11, 30, 2, 42).astimezone()
PLACE = "applied 2026-11-30 02:42 by host laptop, release 1.4"

WAY = (
    "Bring the applied files back (check out their branch or commit), run `inv rollback --target "
    "{}`, come back, and run `inv migrate`. Or throw this development database away: run "
    "`rm -r data`."
)

KEEP = (
    "Or keep the edited files, if downgrade() still undoes what was applied: run "
    "`inv rollback --target {}`, and then `inv migrate`. Or throw"
)


def keeping(target: str) -> str:
    """Return the advice for a file that was edited and not moved."""
    return WAY.format(target).replace("Or throw", KEEP.format(target))


def applied(id_: str, *parents: str, source: bytes = BEFORE, checksum: str = "") -> Applied:
    return Applied(
        id_,
        parents,
        is_expand=False,
        file_sha256=file_sha256(source),
        checksum=checksum or upgrade_checksum(source),
        when=WHEN,
        host="laptop",
        app_version="1.4",
    )


def on_disk(folder: Path, id_: str, *parents: str, source: bytes = BEFORE) -> Revision:
    path = folder / f"{id_}_title.py"
    path.write_bytes(source)
    return Revision(id_, parents, "Title", file=str(path), file_sha256=file_sha256(source))


def history(*revisions: Revision) -> History:
    return History({it.id: it for it in revisions})


@pytest.mark.parametrize(
    ("source", "parents", "checksum", "expected"),
    [
        (BEFORE, ("008",), "", None),
        (b"# A comment.\n" + BEFORE, ("008",), "", None),
        (BEFORE.replace(b"contract", b"expand"), ("008",), "", None),
        (BEFORE.replace(b"op.drop_column", b"op.drop"), ("008",), "", None),
        # a row of an older release, which hashed the whole file's code
        (b"# A comment.\n" + BEFORE, ("008",), code_checksum(BEFORE), None),
        (
            OTHER,
            ("008",),
            "",
            "009_title.py was edited after it was applied, or it is another revision with the same "
            f"id: revision 009 of this database ({PLACE}) has other code than the file.",
        ),
        (
            OTHER,
            ("007",),
            "",
            "009_title.py was edited after it was applied, or it is another revision with the same "
            f"id: revision 009 of this database ({PLACE}) has other code than the file. It "
            "stands on 008, and the file stands on 007.",
        ),
        (
            b"# A comment.\n" + BEFORE,
            ("007",),
            "",
            f"009_title.py was moved after it was applied: revision 009 of this database "
            f"({PLACE}) stands on 008, and the file stands on 007.",
        ),
    ],
)
def test_what_a_file_is_to_what_was_applied(
    tmp_path: Path, source: bytes, parents: tuple[str, ...], checksum: str, expected: str | None
) -> None:
    """What cannot change the schema is left alone; the rest is said as far as facts decide it."""
    made = history(
        on_disk(tmp_path, "007"),
        on_disk(tmp_path, "008", "007"),
        on_disk(tmp_path, "009", *parents, source=source),
    )
    facts = DatabaseFacts(("009",), ("users",), (applied("009", "008", checksum=checksum),))
    found = inspect(facts, made, Target("009", ("009",)))
    if expected is None:
        assert (found.state, found.replaced) == (SchemaState.CURRENT, ())
        return
    assert found.state is SchemaState.DIVERGED
    refusal = refuse_replaced(found, "run `rm -r data`")
    assert (refusal.exit_status, refusal.what) == (9, expected)
    is_moved = parents != ("008",)
    way = WAY.format("008") if is_moved else keeping("008")
    assert refusal.advice == f"{way} Nothing was changed."
    assert refuse_replaced(found, None).advice.startswith("Put the file back as it was, and write")


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_does_not_parse_was_edited(tmp_path: Path, name: str) -> None:
    """It did parse when it was applied."""
    made = history(on_disk(tmp_path, "009", source=UNREADABLE[name]))
    assert replaced_revisions([applied("009")], ["009"], made)


def test_what_is_gone_since_the_history_was_read(tmp_path: Path) -> None:
    """A server goes on while somebody checks another branch out."""
    made = history(on_disk(tmp_path, "009", source=OTHER))
    (tmp_path / "009_title.py").unlink()
    assert replaced_revisions([applied("009")], ["009"], made)


def test_what_is_not_known_is_not_replaced(tmp_path: Path) -> None:
    """A row without a hash, a revision without a file, a row of another history."""
    made = history(on_disk(tmp_path, "a1", source=OTHER), Revision("b2", (), "b2"))
    rows = [Applied("a1", (), False), Applied("b2", (), False, "x", "y"), Applied("z", (), False)]
    assert replaced_revisions(rows, ["a1", "b2"], made) == ()


def test_an_id_that_nobody_else_can_have(tmp_path: Path) -> None:
    """With random letters in it the file is the applied one, so it was edited."""
    made = history(on_disk(tmp_path, "009_k3f9", source=OTHER))
    facts = DatabaseFacts(("009_k3f9",), (), (applied("009_k3f9"),))
    found = inspect(facts, made, Target("009_k3f9", ("009_k3f9",)))
    refusal = refuse_replaced(found, "run `rm -r data`")
    assert refusal.what == (
        f"009_k3f9_title.py was edited after it was applied: revision 009_k3f9 of this "
        f"database ({PLACE}) has other code than the file."
    )
    assert refusal.advice == f"{keeping('base')} Nothing was changed."


def test_below_a_revision_that_is_unknown(tmp_path: Path) -> None:
    """What an unknown revision stands on is in the database, too."""
    made = history(on_disk(tmp_path, "008"), on_disk(tmp_path, "009", "008", source=OTHER))
    journal = (applied("008"), applied("009", "008"), applied("010", "009"))
    facts = DatabaseFacts(("010",), ("users",), journal)
    found = inspect(facts, made, Target("009", ("009",)))
    assert found.state is SchemaState.DIVERGED
    assert [it.entry.revision for it in found.replaced] == ["009"]


def test_several_are_named(tmp_path: Path) -> None:
    """One sentence names the first file, and the ids of the others."""
    made = history(
        on_disk(tmp_path, "008", source=OTHER), on_disk(tmp_path, "009", "008", source=OTHER)
    )
    journal = (applied("009", "008"), applied("008"))
    found = inspect(DatabaseFacts(("009",), (), journal), made, Target("009", ("009",)))
    refusal = refuse_replaced(found, None)
    assert refusal.what.startswith("008_title.py was edited")
    assert refusal.what.endswith("has other code than the file. The same is true of 009.")


def test_a_merge_that_was_edited(tmp_path: Path) -> None:
    """One step down from a merge could mean several things, so the advice names a target."""
    made = history(
        on_disk(tmp_path, "a1"),
        on_disk(tmp_path, "b1", "a1"),
        on_disk(tmp_path, "c1", "a1"),
        on_disk(tmp_path, "d1", "b1", "c1", source=OTHER),
    )
    journal = (applied("d1", "b1", "c1"),)
    found = inspect(DatabaseFacts(("d1",), (), journal), made, Target("d1", ("d1",)))
    refusal = refuse_replaced(found, "run `rm -r data`")
    assert refusal.advice == f"{keeping('b1')} Nothing was changed."


@pytest.mark.parametrize(
    ("rows", "journal", "target"),
    [
        ("d1", {"d1": "b1 c1"}, "c1"),
        ("d1", {"d1": "b1 x1", "x1": "a1"}, "b1"),
        ("b1 x1", {"x1": "a1"}, "b1"),
        ("x1 x2", {"x1": "a1", "x2": "a1"}, "a1"),
        ("b1 x1", {}, "b1"),
        ("x1 x2", {}, "base"),
        ("x2", {"x2": "x1", "x1": ""}, "base"),
        ("x1", {"x1": ""}, "base"),
    ],
)
def test_the_target_of_the_way_back(
    tmp_path: Path, rows: str, journal: dict[str, str], target: str
) -> None:
    """It is a known revision, or base: with the files back it works wherever one step may not."""
    made = history(
        on_disk(tmp_path, "a1"), on_disk(tmp_path, "b1", "a1"), on_disk(tmp_path, "c1", "a1")
    )
    entries = tuple(applied(name, *parents.split()) for name, parents in journal.items())
    facts = DatabaseFacts(tuple(rows.split()), ("users",), entries)
    found = inspect(facts, made, Target("heads", ("b1", "c1")))
    advice = way_back(found, "run `rm -r data`", "")
    assert f", run `inv rollback --target {target}`, come back," in advice


STAMPED = replace(applied("100", "008"), is_stamp=True)
STAMP = "recorded by a stamp 2026-11-30 02:42 by host laptop, release 1.4"


@pytest.mark.parametrize(
    ("row", "journal", "expected"),
    [
        (
            "100",
            (STAMPED,),
            f"100 was {STAMP}; it replaced or stands on 008. If the schema is that of a revision "
            "here, record that revision with `inv adopt --restamp`. Or throw ",
        ),
        (
            "101",
            (applied("101", "100"), STAMPED),
            f"101 was {PLACE}. 100 was {STAMP}; it replaced or stands on 008. Bring the applied "
            "files back (check out their branch or commit), run `inv rollback --target 100`, come "
            "back, and run `inv adopt --restamp`. Or throw ",
        ),
    ],
)
def test_the_way_back_from_a_stamp(
    tmp_path: Path, row: str, journal: tuple[Applied, ...], expected: str
) -> None:
    """A squashed history does not have what it replaced, so nothing goes down to that."""
    made = history(on_disk(tmp_path, "008"))
    found = inspect(DatabaseFacts((row,), ("users",), journal), made, Target("008", ("008",)))
    assert way_back(found, "run `rm -r data`", "").startswith(expected)


@pytest.mark.parametrize(
    ("journal", "disposal", "expected"),
    [
        ((applied("009", "008"),), None, f"009 was {PLACE}. Deploy it."),
        ((applied("009", "008"),), "run `rm -r data`", f"009 was {PLACE}. {WAY.format('008')}"),
        ((), None, "Deploy it."),
        ((), "run `rm -r data`", WAY.replace(" --target {}", "")),
    ],
)
def test_the_way_back_from_an_unknown_revision(
    tmp_path: Path, journal: tuple[Applied, ...], disposal: str | None, expected: str
) -> None:
    """The journal says who has the file; where it may be thrown away, the database can go."""
    made = history(on_disk(tmp_path, "008"))
    found = inspect(DatabaseFacts(("009",), ("users",), journal), made, Target("008", ("008",)))
    assert expected == way_back(found, disposal, "Deploy it.")


def test_what_is_journalled_is_what_was_read(tmp_path: Path) -> None:
    """A file that is edited or removed while an earlier revision runs is not what runs."""
    revision = on_disk(tmp_path, "001")
    assert fingerprint(revision) == (file_sha256(BEFORE), upgrade_checksum(BEFORE))
    assert revision.path is not None
    revision.path.write_bytes(BEFORE + b"\n# a word\n")
    assert fingerprint(revision) == (file_sha256(BEFORE), None)
    revision.path.unlink()
    assert fingerprint(revision) == (file_sha256(BEFORE), None)
    assert fingerprint(None) == (None, None)
