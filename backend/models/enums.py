"""The labels that PostgreSQL's enum types hold; a member's value is the label."""

from enum import StrEnum


class BookStatus(StrEnum):
    """How far the making of a book has come."""

    CREATING = "creating"
    COMPLETED = "completed"
    FAILED = "failed"
    DRAFT = "draft"


class Visibility(StrEnum):
    """Who sees a book or a voice: its owner, everybody, or everybody from the first day."""

    PRIVATE = "private"
    PUBLIC = "public"
    DEFAULT = "default"


class VoiceStatus(StrEnum):
    """How far the provider has come with cloning a voice."""

    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
