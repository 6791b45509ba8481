"""Queries for kinds of objects that the comparison knows only by kind and name."""

KINDS = frozenset(
    {
        "access method",
        "cast",
        "collation",
        "conversion",
        "event trigger",
        "extension",
        "foreign-data wrapper",
        "language",
        "operator",
        "operator class",
        "operator family",
        "publication",
        "server",
        "statistics object",
        "text search configuration",
        "text search dictionary",
        "text search parser",
        "text search template",
        "transform",
    }
)
"""The kinds, by the names of `pg_identify_object`."""

# Neither PostgreSQL's own objects, which are below that number, nor objects that belong to others,
# such as a range type's cast.
OTHERS = """
SELECT classid, objid
FROM (
    SELECT 'pg_am'::regclass, oid FROM pg_am
    UNION ALL SELECT 'pg_cast'::regclass, oid FROM pg_cast
    UNION ALL SELECT 'pg_collation'::regclass, oid FROM pg_collation
    UNION ALL SELECT 'pg_conversion'::regclass, oid FROM pg_conversion
    UNION ALL SELECT 'pg_event_trigger'::regclass, oid FROM pg_event_trigger
    UNION ALL SELECT 'pg_extension'::regclass, oid FROM pg_extension
    UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'pg_foreign_server'::regclass, oid FROM pg_foreign_server
    UNION ALL SELECT 'pg_language'::regclass, oid FROM pg_language
    UNION ALL SELECT 'pg_opclass'::regclass, oid FROM pg_opclass
    UNION ALL SELECT 'pg_operator'::regclass, oid FROM pg_operator
    UNION ALL SELECT 'pg_opfamily'::regclass, oid FROM pg_opfamily
    UNION ALL SELECT 'pg_publication'::regclass, oid FROM pg_publication
    UNION ALL SELECT 'pg_statistic_ext'::regclass, oid FROM pg_statistic_ext
    UNION ALL SELECT 'pg_transform'::regclass, oid FROM pg_transform
    UNION ALL SELECT 'pg_ts_config'::regclass, oid FROM pg_ts_config
    UNION ALL SELECT 'pg_ts_dict'::regclass, oid FROM pg_ts_dict
    UNION ALL SELECT 'pg_ts_parser'::regclass, oid FROM pg_ts_parser
    UNION ALL SELECT 'pg_ts_template'::regclass, oid FROM pg_ts_template
) other (classid, objid)
WHERE objid >= 16384 AND NOT EXISTS (
    SELECT FROM pg_depend d
    WHERE d.classid = other.classid AND d.objid = other.objid
      AND d.deptype IN ('e', 'i'))
"""
