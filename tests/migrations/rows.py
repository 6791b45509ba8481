"""Rows for every table of every revision, with all columns filled that the revision has."""

from sqlalchemy import Connection, inspect, text

USER = "00000000-0000-0000-0000-000000000001"
BOOK = "00000000-0000-0000-0000-000000000002"
PAGE = "00000000-0000-0000-0000-000000000003"
DIALOGUE = "00000000-0000-0000-0000-000000000004"

# The rows of a revision's new tables, in the columns that they have from that revision on.
_NEW_ROWS = {
    "001": f"""
        INSERT INTO users (id, email, password_hash, oauth_provider, oauth_id)
        VALUES ('{USER}', 'ada@example.org', 'hash', 'google', '42')
    """,
    "002": f"""
        INSERT INTO books (id, user_id, title, cover_image_url, genre, target_age, theme, status)
        VALUES ('{BOOK}', '{USER}', 'A Book', '/cover.png', 'tale', '3-5', 'trust', 'draft');
        INSERT INTO pages (id, book_id, sequence, image_url, image_prompt)
        VALUES ('{PAGE}', '{BOOK}', 1, '/1.png', 'a fox');
        INSERT INTO dialogues (id, page_id, sequence, speaker, text)
        VALUES ('{DIALOGUE}', '{PAGE}', 1, 'Fox', 'Hello!');
        INSERT INTO audios (user_id, file_url, file_path, duration, file_size, mime_type,
            text_content, voice_id, provider, meta_data)
        VALUES ('{USER}', '/a.mp3', 'a.mp3', 1.5, 3000000000, 'audio/mpeg', 'Hello!', 'v1',
            'somebody', '{{"take": 2}}')
    """,
    "004": f"""
        INSERT INTO dialogue_audios (dialogue_id, language_code, voice_id, audio_url, duration)
        VALUES ('{DIALOGUE}', 'en', 'v1', '/fox.mp3', 0.8)
    """,
    "005": f"""
        INSERT INTO voices (user_id, provider_voice_id, name, language, gender, preview_url,
            category, visibility, status, completed_at, meta_data)
        VALUES ('{USER}', 'v1', 'Ada', 'en', 'female', '/v1.mp3', 'cloned', 'public',
            'completed', now(), '{{"pitch": 1}}')
    """,
    "008": """
        UPDATE books SET cover_video_url = '/cover.mp4';
        UPDATE pages SET video_url = '/1.mp4'
    """,
    "009_3n9k": """
        INSERT INTO attempts (key, next_at, forgotten_at) VALUES ('\\x01', now(), now());
        UPDATE users SET token_generation = 7
    """,
}


def add_rows(connection: Connection, revision: str) -> None:
    """Put a row into each table that the revision has made."""
    if revision in _NEW_ROWS:
        connection.execute(text(_NEW_ROWS[revision]))


def row_counts(connection: Connection) -> dict[str, int]:
    """Return how many rows each table has, Alembic's and boot's own apart."""
    return {
        table: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
        for table in inspect(connection).get_table_names()
        if table not in ("alembic_version", "schema_journal")
    }
