"""Titles in words, as PostgreSQL's full-text index has them.

In scripts that write no spaces (Chinese, Japanese, Thai, Lao, Burmese, Khmer), each character is a
word. Punctuation of ASCII separates words: PostgreSQL would find addresses and numbers in it.
"""

SEPARATED = (
    r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    r"\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff])"
    r"|[\u0021-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007e]"
)
"""What becomes a word of its own, and what separates words: a pattern of PostgreSQL's."""

TITLE_WORDS = f"to_tsvector('simple', regexp_replace(title, '{SEPARATED}', ' \\1 ', 'g'))"
"""The words of a book's title, of no language in particular: SQL, for the index and for queries.

A query that has another text for it does not use the index.
"""
