from alembic_boot import readiness_router
from fastapi import FastAPI
from sqlalchemy import select

from src.database import auth_user, engine

app = FastAPI()
app.include_router(readiness_router())


@app.get("/items")
async def items() -> list[str]:
    async with engine.connect() as connection:
        return list(await connection.scalars(select(auth_user.c.name)))
