"""Paths of the API, and those of its document."""

API = "/api/v1"
AUTH = f"{API}/auth"
BOOKS = f"{API}/books"

BOOK = f"{BOOKS}/{{book_id}}"
PAGE = f"{BOOK}/pages/{{page_id}}"
DIALOGUE = f"{BOOK}/dialogues/{{dialogue_id}}"
TRANSLATION = f"{DIALOGUE}/translations/{{language_code}}"
RECORDING = f"{DIALOGUE}/audios/{{language_code}}/{{voice_id}}"
VOICE = f"{API}/voices/{{voice_id}}"

ENDING = {f"POST {AUTH}/password", f"POST {AUTH}/logout-everywhere", f"POST {AUTH}/me/delete"}
"""Routes after which no token of the person is good."""
