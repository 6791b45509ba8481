"""The tables of the storybook service: an import of this package registers all of them."""

from backend.models.attempt import Attempt
from backend.models.audio import Audio
from backend.models.base import LATER, Base
from backend.models.book import Book, Page
from backend.models.dialogue import Dialogue, DialogueAudio, DialogueTranslation
from backend.models.enums import BookStatus, Visibility, VoiceStatus
from backend.models.user import SYSTEM_EMAIL, User
from backend.models.voice import Voice

__all__ = [
    "LATER",
    "SYSTEM_EMAIL",
    "Attempt",
    "Audio",
    "Base",
    "Book",
    "BookStatus",
    "Dialogue",
    "DialogueAudio",
    "DialogueTranslation",
    "Page",
    "User",
    "Visibility",
    "Voice",
    "VoiceStatus",
]
