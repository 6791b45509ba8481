"""`check` reaches the scratch database also if env.py has a URL of its own."""

from pathlib import Path

import pytest

from tests.boot.in_process import checking, theirs
from tests.cluster import Cluster
from tests.scenarios.envs import own_settings_env
from tests.scenarios.process import assert_untouched

pytestmark = pytest.mark.slow

CREATOR = "creator=lambda: __import__('psycopg2').connect('{}')"


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_its_logins_are_led(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str, driver: str
) -> None:
    """The history goes up, down and up there; the real database is not touched."""
    their = theirs(tmp_path, database_url, env=own_settings_env(database_url, driver, ""))
    their.project.revision("a1", constants='phase = "expand"')
    their.run(checking).assert_ok()
    their.project.revision("b2", "a1", downgrade="op.drop_table('t_a1')")
    their.run(checking).assert_says("…b2 leaves behind on its way down: table t_b2 is unexpected")
    assert_untouched(cluster, database)


def test_a_login_that_cannot_be_led(
    tmp_path: Path, cluster: Cluster, database: str, database_url: str
) -> None:
    """It is refused before a statement runs."""
    options = CREATOR.format(database_url)
    their = theirs(tmp_path, database_url, env=own_settings_env(database_url, "psycopg2", options))
    their.project.revision("a1")
    their.run(checking).assert_failed(2, "Alembic's env.py connects to another database than …")
    assert_untouched(cluster, database)
