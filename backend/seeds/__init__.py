"""The first data of a development database: one system user and two storybooks."""

from backend.seeds.seeding import seed

__all__ = ["seed"]
