import pytest

from alembic_boot.serving.sqlstates import sentence


@pytest.mark.parametrize(
    ("sqlstate", "begins"),
    [
        ("53100", "The disk of the database is full (53100). "),
        ("53200", "The database has no memory left (53200). "),
        ("53300", "The database takes no more connections (53300). "),
        ("53400", "The database is at one of its limits (53400). "),
        ("57P03", "The database starts, stops or recovers (57P03). "),
        ("57P01", "The database starts, stops or recovers (57P01). "),
        ("57014", "The database is too busy to report the schema's state (57014). "),
        ("28P01", "The database refuses the login (28P01). "),
        ("3D000", "The database does not exist (3D000). "),
        ("42501", "The role lacks a right (42501). "),
        ("XX000", "The database cannot be queried (XX000). "),
        ("", "The database does not answer. "),
        (None, "The database does not answer. "),
    ],
)
def test_each_code_has_its_sentence(sqlstate: str | None, begins: str) -> None:
    """The whole code counts before its class."""
    assert sentence(sqlstate).startswith(begins)
