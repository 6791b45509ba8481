import os


class Database:
    @property
    def url(self) -> str:
        user, password = os.environ["POSTGRES_USER"], os.environ["POSTGRES_PASSWORD"]
        host, port = os.environ["POSTGRES_HOST"], os.environ.get("POSTGRES_PORT", "5432")
        return f"postgresql+asyncpg://{user}:{password}@{host}:{port}/{os.environ['POSTGRES_DB']}"


db = Database()
