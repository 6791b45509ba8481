import os

from alembic_boot import readiness_router
from fastapi import FastAPI
from sqlalchemy import create_engine, select

from shop.models import Product

app = FastAPI()
app.include_router(readiness_router())
engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:"))


@app.get("/items")
def items() -> list[str]:
    with engine.connect() as connection:
        return list(connection.scalars(select(Product.name)))
