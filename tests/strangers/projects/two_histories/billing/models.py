from sqlalchemy import Column, Integer, MetaData, String, Table

metadata = MetaData()
invoice = Table(
    "invoice",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(50), nullable=False),
    Column("note", String(200)),
)
