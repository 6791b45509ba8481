"""Releases of the service: our history, and newer revisions on it."""

from pathlib import Path

from tests.scenarios.process import project, write_revision

EXPAND = 'phase = "expand"'
CONTRACT = 'phase = "contract"'


def release(tmp_path: Path, name: str, *newer: tuple[str, str, str]) -> Path:
    """Make a release: our history and `newer` revisions on it, each an id, a parent, a phase."""
    (tmp_path / name).mkdir()
    root = project(tmp_path / name)
    for revision, parent, constants in newer:
        write_revision(
            root / "alembic" / "versions",
            revision,
            parent,
            f'op.create_table("t_{revision}", sa.Column("id", sa.Integer, primary_key=True))',
            f'op.drop_table("t_{revision}")',
            constants=constants,
        )
    return root
