import os
from functools import lru_cache


class Settings:
    def __init__(self) -> None:
        self.database_url = os.environ["BALANCER_DATABASE_URL"]


@lru_cache
def get_settings() -> Settings:
    return Settings()
