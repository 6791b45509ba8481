"""The log of a readiness router: the names and causes that its public answer leaves out."""

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

import alembic_boot
from alembic_boot.serving.router import LazyProbe
from tests.boot.asking import asked
from tests.cluster import Cluster
from tests.scenarios.process import FOREIGN_ENV, ForeignProject

CLOSED = "postgresql://shop:pass-word@127.0.0.1:1/shop"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ForeignProject:
    """Give a project whose URL only the environment can tell, and nothing tells it."""
    for name in ("BOOT_FACTS", "DATABASE_URL", "MIGRATION_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    shop = ForeignProject(tmp_path / "shop", FOREIGN_ENV)
    shop.revision("a1")
    return shop


def app_of(project: Path, url: str | None, **options: Any) -> Starlette:
    router = alembic_boot.readiness_router(project, url, status_page=True, **options)
    return Starlette(routes=router.routes)


def not_ready(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the lines that say why the application is not ready."""
    return [it for it in caplog.messages if it.startswith("Not ready: ")]


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        (None, {}, "No database is configured"),
        ("nonsense", {}, "DATABASE_URL"),
        (CLOSED, {}, "127.0.0.1"),
        (CLOSED, {"name": "catalog"}, "catalog"),
    ],
    ids=["no-url", "bad-url", "closed-port", "no-section"],
)
def test_the_first_probe_is_logged(
    shop: ForeignProject,
    caplog: pytest.LogCaptureFixture,
    url: str | None,
    options: dict[str, str],
    said: str,
) -> None:
    """Once while the cause stays the same, and without the password."""
    app = app_of(shop.folder, url, **options)
    for _ in range(2):
        [answer] = asked(app, "GET /health/ready")
        assert answer.status_code == 503
    [line] = not_ready(caplog)
    assert said in line
    assert "pass-word" not in caplog.text


def test_a_missing_folder_is_logged(shop: ForeignProject, caplog: pytest.LogCaptureFixture) -> None:
    [answer] = asked(app_of(shop.folder / "nowhere", CLOSED), "GET /health/ready")
    assert answer.status_code == 503
    [line] = not_ready(caplog)
    assert str(shop.folder / "nowhere") in line


@pytest.mark.parametrize("wrong", ["password", "database"])
def test_a_refused_login_is_logged(
    shop: ForeignProject, cluster: Cluster, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    url = cluster.url("no_such_database")
    with cluster.database() as database:
        if wrong == "password":
            right, _, rest = cluster.url(database).rpartition("@")
            url = f"{right.rpartition(':')[0]}:not-it@{rest}"
        [answer] = asked(app_of(shop.folder, url), "GET /health/ready")
    assert answer.status_code == 503
    [line] = not_ready(caplog)
    assert "127.0.0.1" in line
    assert "not-it" not in line


def test_the_line_comes_without_any_configuration_of_logging(
    shop: ForeignProject, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As with plain Uvicorn, whose configuration is of its own loggers alone."""
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    asked(app_of(shop.folder, None), "GET /health/ready")
    assert "Not ready: No database is configured" in capfd.readouterr().err


def test_a_change_of_the_answer_is_logged(
    shop: ForeignProject, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Another cause, and the end of the last one, also if nothing was opened before."""
    caplog.set_level(logging.INFO, "alembic_boot.serving.readiness")

    @contextmanager
    def described() -> Iterator[alembic_boot.BootDescription]:
        yield alembic_boot.describe(shop.folder, database_url)

    said: list[str] = []

    def look() -> bool:
        caplog.clear()
        found = probe.check()
        said.extend(it.partition(":")[0] for it in caplog.messages)
        return found.ready

    with closing(LazyProbe(described)) as probe:
        script = shop.folder / "scripts" / "env.py"
        broken = script.rename(shop.folder / "env.py")
        assert [look(), look(), said] == [False, False, ["Not ready"]]
        broken.rename(script)
        assert [look(), look(), said] == [False, False, ["Not ready", "Not ready"]]
        alembic_boot.migrate(shop.folder, database_url)
        said.clear()
        assert [look(), look(), said] == [True, True, ["Ready again"]]


def test_a_hidden_cause_of_the_status_page_is_logged(
    shop: ForeignProject, caplog: pytest.LogCaptureFixture
) -> None:
    [answer] = asked(app_of(shop.folder, None), "GET /_boot")
    assert answer.status_code == 503
    [line] = [it for it in caplog.messages if it.startswith("The status page cannot be shown: ")]
    assert "No database is configured" in line
