from sqlalchemy import Column, Integer, MetaData, String, Table

metadata = MetaData()
book = Table(
    "book",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(50), nullable=False),
    Column("note", String(200)),
)
