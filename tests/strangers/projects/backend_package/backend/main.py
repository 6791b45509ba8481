from alembic_boot import readiness_router
from fastapi import FastAPI
from sqlmodel import Session, create_engine, select

from backend.core.config import settings
from backend.models import Item

app = FastAPI()
app.include_router(readiness_router())
engine = create_engine(str(settings.SQLALCHEMY_DATABASE_URI))


@app.get("/items")
def items() -> list[Item]:
    with Session(engine) as session:
        return list(session.exec(select(Item)))
