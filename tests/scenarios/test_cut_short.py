"""A revision that is killed when it has committed a part does no harm at the next start.

What needs no kill is in tests/boot/running/test_partial_commits.py.
"""

from signal import SIGKILL

import pytest

from tests.cluster import Cluster
from tests.scenarios.index_builds import BLOCK, execute
from tests.scenarios.live_traffic import blocking
from tests.scenarios.scene import SOON, MakeScene

pytestmark = pytest.mark.slow


BUILD = 'op.execute("CREATE INDEX CONCURRENTLY by_name ON steps (name)")'


WRITE = "INSERT INTO steps (name) VALUES ('other')"


MOVE = """
CREATE TABLE points AS SELECT 100 AS number;
CREATE FUNCTION move_points(who text) RETURNS int LANGUAGE sql AS
    'UPDATE points SET number = number * 2 RETURNING number';
"""


def test_harm_is_not_done_twice(cluster: Cluster, make_scene: MakeScene) -> None:
    """What calls a function is not run again."""
    statement = "SELECT move_points('gold')"
    scene = make_scene(cluster, f'{BLOCK}op.execute("{statement}")\n    {BUILD}\n', begun=True)
    execute(scene, MOVE)
    with blocking(cluster, scene.database, WRITE):
        first = scene.start()
        scene.wait_until(
            "SELECT EXISTS (SELECT FROM pg_stat_progress_create_index"
            f" WHERE datname = '{scene.database}')"
        )
        first.signal(SIGKILL)
        assert first.finish().status == -SIGKILL
    refused = "Migration b2 Foreign b2 was interrupted after … (… move_points(…)), which may do …"
    scene.start().finish(SOON).assert_failed(5, refused)
    assert scene.query("SELECT number FROM points") == [(200,)]
