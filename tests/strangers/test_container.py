"""The three lines of a Dockerfile: a container that may write nothing, and has no privileges."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copy
from uuid import uuid4

import pytest
from docker import DockerClient

from backend.ci.image import read_with_bases
from backend.stack.engine.images import run_build
from tests.cluster import Cluster, free_port
from tests.scenarios.process import ROOT
from tests.strangers.layouts import LAYOUTS, copied
from tests.strangers.serving import answer
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.container]

LAYOUT = LAYOUTS[0]

BEFORE = """
ARG BASE
FROM ${BASE}
WORKDIR /srv
ENV PIP_BREAK_SYSTEM_PACKAGES=1
COPY project .
COPY *.whl /wheels/
"""


def recipe(wheel: Path) -> str:
    """Return a Dockerfile with the lines of the page, and with the wheel instead of its name."""
    page = (ROOT / "docs" / "other-projects.md").read_text(encoding="utf-8")
    lines = page.split("```dockerfile\n", 1)[1].split("```", 1)[0]
    packages = " ".join(
        f'"{it}"'
        for it in ("fastapi", "psycopg[binary]", "pydantic-settings", "sqlmodel", "uvicorn")
    )
    named = f'"alembic-boot[binary] @ file:///wheels/{wheel.name}" {packages}'
    return BEFORE + lines.replace('"alembic-boot[binary]"', named).replace(
        "app.main", "backend.main"
    )


@pytest.fixture
def image(engine: DockerClient, bases: None, wheel: Path, tmp_path: Path) -> Iterator[str]:
    copied(LAYOUT, tmp_path / "project")
    copy(wheel, tmp_path)
    (tmp_path / "Dockerfile").write_text(recipe(wheel))
    build = read_with_bases(engine, ROOT).services["backend"].build
    assert build is not None
    name = f"strangers-tests-{uuid4().hex[:12]}"
    arguments = {"BASE": build.args["PYTHON_IMAGE"]}
    run_build(engine, name, arguments, title=name, path=str(tmp_path))
    yield name
    engine.images.remove(name)


def test_a_container_that_may_write_nothing(
    engine: DockerClient, image: str, cluster: Cluster, database: str
) -> None:
    port = free_port()
    container = engine.containers.run(
        image,
        ["uvicorn", LAYOUT.app, "--port", str(port)],
        detach=True,
        read_only=True,
        user="10001:10001",
        cap_drop=["ALL"],
        network_mode="host",
        environment=LAYOUT.variables(cluster, database),
    )
    try:
        wait_until(lambda: answer(port, "/health/ready")[0] == 200)
        container.stop(timeout=20)
        assert container.wait()["StatusCode"] in (0, 143), container.logs()
        assert b"Applied 6f5e4d3c2b1a" in container.logs()
    finally:
        container.remove(force=True)
