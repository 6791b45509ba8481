"""The kinds of objects that the comparison knows only by kind and name, and a query for them."""

# ruff: noqa: S608 - the query is put together from constants of this file

_KINDS = {
    "pg_am": "access method",
    "pg_cast": "cast",
    "pg_collation": "collation",
    "pg_conversion": "conversion",
    "pg_event_trigger": "event trigger",
    "pg_extension": "extension",
    "pg_foreign_data_wrapper": "foreign-data wrapper",
    "pg_foreign_server": "server",
    "pg_language": "language",
    "pg_opclass": "operator class",
    "pg_operator": "operator",
    "pg_opfamily": "operator family",
    "pg_publication": "publication",
    "pg_statistic_ext": "statistics object",
    "pg_transform": "transform",
    "pg_ts_config": "text search configuration",
    "pg_ts_dict": "text search dictionary",
    "pg_ts_parser": "text search parser",
    "pg_ts_template": "text search template",
}

KINDS = frozenset(_KINDS.values())
"""The kinds, by the names of `pg_identify_object`."""

_EVERY = " UNION ALL ".join(f"SELECT '{it}'::regclass, oid FROM {it}" for it in _KINDS)

# Neither PostgreSQL's own objects, which are below that number, nor objects that belong to others,
# such as a range type's cast.
OTHERS = f"""
SELECT classid, objid FROM ({_EVERY}) other (classid, objid)
WHERE objid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_depend d
    WHERE d.classid = other.classid AND d.objid = other.objid AND d.deptype IN ('e', 'i'))
"""
