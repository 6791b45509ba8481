from alembic_boot import readiness_router
from fastapi import FastAPI
from sqlalchemy import create_engine, select

from app.core.settings import get_settings
from app.db.models import Account

app = FastAPI()
app.include_router(readiness_router())
engine = create_engine(get_settings().database_url)


@app.get("/items")
def items() -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(select(Account.name)))
