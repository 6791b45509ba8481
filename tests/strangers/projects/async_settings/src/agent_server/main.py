from alembic_boot import readiness_router
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import create_async_engine

from src.agent_server.orm import Assistant
from src.agent_server.settings import db

app = FastAPI()
app.include_router(readiness_router())
engine = create_async_engine(db.url)


@app.get("/items")
async def items() -> list[str]:
    async with engine.connect() as connection:
        return list(await connection.scalars(select(Assistant.name)))
