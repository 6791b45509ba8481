"""The labels of PostgreSQL's enum types; a member's value is the label."""

from enum import StrEnum


class BookStatus(StrEnum):
    """The progress of a book's creation."""

    CREATING = "creating"
    COMPLETED = "completed"
    FAILED = "failed"
    DRAFT = "draft"


class Visibility(StrEnum):
    """The viewers of a book or a voice: its owner, everybody, or everybody by default."""

    PRIVATE = "private"
    PUBLIC = "public"
    DEFAULT = "default"


class VoiceStatus(StrEnum):
    """The progress of the provider's cloning of a voice."""

    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
