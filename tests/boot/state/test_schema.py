"""A schema that is read while other sessions keep its tables locked."""

from contextlib import closing
from pathlib import Path

import pytest

from alembic_boot.environment.opening import open_project
from alembic_boot.errors import LockTimeoutError
from alembic_boot.state.schema import open_schema
from tests.boot.adoption.unmanaged import Theirs
from tests.cluster import Cluster

pytestmark = pytest.mark.slow


def test_a_journal_that_is_locked_before_the_plan(
    tmp_path: Path, cluster: Cluster, database: str
) -> None:
    """It is locked after the state was read: that is waited for like any other lock."""
    theirs = Theirs(tmp_path, cluster, database)
    theirs.project.revision("a1")
    theirs.migrate()
    theirs.project.revision("b2", "a1")
    boot, url = theirs.boot, theirs.boot.migration_database_url
    schema = open_schema(url, open_project(boot.alembic_config, url), boot.schema)
    inspection = schema.inspect()
    cluster.execute(f"ALTER DATABASE {database} SET lock_timeout = '100ms'")
    with closing(cluster.connect(database)) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE schema_journal")
        with pytest.raises(LockTimeoutError, match=r"^Another session \(.+\) keeps .+ locked"):
            schema.decide(inspection)
    assert schema.decide(inspection).steps == ("b2",)
