"""An older image is started on the schema of a newer one."""

import httpx
import pytest

from tests.history import HEAD
from tests.scenarios.containers.stack import ServiceStack

pytestmark = [pytest.mark.slow, pytest.mark.container]

AHEAD = (
    f"The database is at 901, ahead of this release, whose head is {HEAD}. The journal marks "
    "the additional revisions (901) as expand, so this release works on the schema."
)
CHANGE = 'op.create_table("t_{0}", sa.Column("id", sa.Integer))'


def test_onto_a_newer_schema(stack: ServiceStack) -> None:
    """What the newer one only added is served with a warning; anything else is refused."""
    stack.revision("901", HEAD, CHANGE.format("901"))
    stack.inv("up").assert_ok()
    stack.forget_revisions()
    older = stack.inv("up")
    older.assert_ok()
    older.assert_says("backend-1 replaced, because its configuration changed")
    assert AHEAD in stack.log()
    ready = httpx.get(f"{stack.url()}/health/ready")
    assert (ready.status_code, ready.json()["state"]) == (200, "ahead")
    assert len(httpx.get(f"{stack.url()}/api/v1/books").json()["items"]) == 2

    stack.revision("901", HEAD, CHANGE.format("901"))
    stack.revision("902", "901", CHANGE.format("902"), phase="contract")
    stack.inv("up").assert_ok()
    stack.forget_revisions()
    refused = stack.inv("up", APP_ENV="prod", JWT_SECRET="a-long-random-text")
    refused.assert_failed(12, "backend-1 …exited with status 7. Its last lines are above, …")
    refused.assert_says("backend-1 | The database is at 902, ahead of this release, …")
    assert "Starting Uvicorn server..." not in stack.log()
    assert stack.query("SELECT version_num FROM alembic_version") == ["902"]
