"""The words of titles, for PostgreSQL's full-text index.

In scripts without spaces (Chinese, Japanese, Thai, Lao, Burmese, Khmer), each character is a word.
ASCII punctuation separates words; otherwise PostgreSQL would find addresses and numbers.
"""

SEPARATED = (
    r"([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    r"\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff])"
    r"|[\u0021-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007e]"
)
"""PostgreSQL pattern for characters that are words of their own, and for separators."""

TITLE_WORDS = f"to_tsvector('simple', regexp_replace(title, '{SEPARATED}', ' \\1 ', 'g'))"
"""SQL for the words of a book's title, without a language, for the index and for queries.

A query with any other text of this expression does not use the index.
"""
