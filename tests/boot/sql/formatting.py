"""The same SQL, written in another way."""

from itertools import cycle

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


PARAMETERS = ("%(x)s", "%s", "%(x)s::VARCHAR", "$1", "$1::VARCHAR")
"""As SQLAlchemy writes them for psycopg2, psycopg and asyncpg."""
_STAND_IN = "STAND_IN"

# A draw is slow, so a few pieces are drawn and used in turn.
_FEW_GAPS = st.lists(GAPS, min_size=1, max_size=5).map(cycle)
_FEW_STRINGS = st.lists(STRINGS, min_size=1, max_size=3).map(cycle)
_FEW_CHOICES = st.lists(st.booleans(), min_size=1, max_size=7).map(cycle)


def with_other_strings(data: st.DataObject, text: str, mark: str = "a") -> str:
    """Return a text with other constants and other gaps."""
    gaps, strings = data.draw(_FEW_GAPS), data.draw(_FEW_STRINGS)
    return "".join(
        (next(strings).replace("a", mark) if it.kind is Kind.STRING else it.text) + next(gaps)
        for it in pieces(text)
    )


def reformatted(data: st.DataObject, text: str, names: frozenset[str]) -> str:
    """Return a text with other gaps, case and parameters, and quotes around some of these names."""
    is_query = text.startswith(("UPDATE", "SELECT"))  # in others, psycopg2 alone has parameters
    parameter = data.draw(st.sampled_from(PARAMETERS if is_query else PARAMETERS[:2]))
    gaps, choices = data.draw(_FEW_GAPS), data.draw(_FEW_CHOICES)
    cut = pieces(text.replace("%(x)s", _STAND_IN))
    written = "".join(next(gaps) + _piece(it, names, next(choices)) for it in cut)
    return written.replace(_STAND_IN, parameter)


def _piece(piece: Piece, names: frozenset[str], is_changed: bool) -> str:
    if not is_changed or piece.kind is not Kind.WORD or piece.text == _STAND_IN:
        return piece.text
    return f'"{piece.text}"' if piece.text in names else piece.text.swapcase()
