"""The revisions of this repository's history, asked of the files: a new one changes no test."""

from tests.migrations.project import revisions

OURS = tuple(revisions())
"""All of them, oldest first."""

HEAD = OURS[-1]

BEFORE_HEAD = OURS[-2]

# A test's own revisions are 901 and 902: numbers that the history does not reach.
