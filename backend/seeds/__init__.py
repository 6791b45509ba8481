"""The data that a developer's database starts with: one system user and two storybooks."""

from backend.seeds.seeding import seed

__all__ = ["seed"]
