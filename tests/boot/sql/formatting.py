"""The same SQL, written in another way."""

from hypothesis import strategies as st

from alembic_boot.sql.pieces import Kind, Piece, pieces

ANYTHING = st.text(alphabet=" ';$\\\"()-*/\nabfEISXé", max_size=12)

GAPS = st.one_of(
    st.sampled_from([" ", "\n", " \t "]),
    ANYTHING.map(lambda it: "--" + it.replace("\n", " ") + "\n"),
    ANYTHING.map(lambda it: "/*" + it.replace("*", "").replace("/", "") + "/*'*/ */"),
)
"""White space and comments."""

STRINGS = st.one_of(
    ANYTHING.map(lambda it: "'" + it.replace("'", "''") + "'"),
    ANYTHING.map(lambda it: "E'" + it.replace("\\", "\\\\").replace("'", "\\'") + "'"),
    ANYTHING.map(lambda it: "$x$" + it.replace("$", "") + "$x$"),
    ANYTHING.map(lambda it: "$$" + it.replace("$", "") + "$$"),
)
"""Constants of any text."""


def with_other_strings(data: st.DataObject, text: str, mark: str = "a") -> str:
    """Return a text with other constants and other gaps."""
    return "".join(
        (data.draw(STRINGS).replace("a", mark) if it.kind is Kind.STRING else it.text)
        + data.draw(GAPS)
        for it in pieces(text)
    )


PARAMETERS = ("%(x)s", "%s", "%(x)s::VARCHAR", "$1", "$1::VARCHAR")
"""As SQLAlchemy writes them for psycopg2, psycopg and asyncpg."""
_STAND_IN = "STAND_IN"


def reformatted(data: st.DataObject, text: str, names: frozenset[str]) -> str:
    """Return a text with other gaps, case and parameters, and quotes around some of these names."""
    is_query = text.startswith(("UPDATE", "SELECT"))  # in others, psycopg2 alone has parameters
    parameter = data.draw(st.sampled_from(PARAMETERS if is_query else PARAMETERS[:2]))
    cut = pieces(text.replace("%(x)s", _STAND_IN))
    written = "".join(data.draw(GAPS) + _piece(data, it, names) for it in cut)
    return written.replace(_STAND_IN, parameter)


def _piece(data: st.DataObject, piece: Piece, names: frozenset[str]) -> str:
    is_changed = piece.kind is Kind.WORD and piece.text != _STAND_IN and data.draw(st.booleans())
    if not is_changed:
        return piece.text
    return f'"{piece.text}"' if piece.text in names else piece.text.swapcase()
