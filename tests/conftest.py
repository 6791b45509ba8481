"""Fixtures: real PostgreSQL servers, one a version, and databases of their own for tests."""

import gc
import os
import re
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from shutil import disk_usage
from tempfile import TemporaryDirectory

import pytest

import backend  # noqa: F401 (its names of commands and settings, in every test)
from alembic_boot.output import masking
from tests.cluster import DEBIAN, Cluster, running_cluster, running_pair
from tests.pgbouncer import PGBOUNCER, running_pgbouncer

# Sentences name `inv` by its path where PATH does not lead to it; here they are always the same.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"

# Else each process of the tests compiles all modules again, and those that it starts do as well.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

_SERVERS = {"debian_cluster", "pair", "shared_pair", "pgbouncer"}
"""Fixtures that start servers besides the first one. Their tests are slow."""

_DATABASES = {"database", "at_first", "seeded_url"}
"""Fixtures that make a database for one test, which takes as long as a hundred decisions."""

_LONGEST = {"test_contract.py", "test_crash.py", "test_lowest_versions.py"}

_ALL_SLOW = re.compile(r"^pytestmark = .*\bmark\.slow\b", re.MULTILINE)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option by which `inv test` runs the tests in two passes."""
    parser.addoption(
        "--pass",
        choices=["together", "alone"],
        help="run the tests without the mark `alone`, or those alone; default: all",
    )
    parser.addoption(
        "--own-databases-are-quick",
        action="store_true",
        help="do not mark tests as slow because they have a database of their own",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many processes run the tests: several for all tests, none for chosen ones."""
    from backend.ci.passes import workers

    return workers(os.cpu_count() or 1) if config.args == config.getini("testpaths") else 0


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no module whose tests are all left out by their marks: it takes seconds."""
    if collection_path.suffix != ".py":
        return None
    text = collection_path.read_text(encoding="utf-8")
    if config.getoption("--pass") == "alone" and "mark.alone" not in text:
        return True
    if config.getoption("markexpr") == "not slow" and _ALL_SLOW.search(text):
        return True
    return None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the garbage collector what collecting makes, all of which stays; it takes a fifth."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests with slow fixtures as slow, and leave out those of the other pass.

    The longest tests come first: at the end, the other processes would wait for them.
    """
    items.sort(key=lambda it: it.path.name not in _LONGEST)
    are_quick = config.getoption("--own-databases-are-quick")
    slow = _SERVERS if are_quick else _SERVERS | _DATABASES
    for item in items:
        if slow.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    chosen = config.getoption("--pass")
    if chosen is None:
        return
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        is_alone = item.get_closest_marker("alone") is not None
        (kept if is_alone == (chosen == "alone") else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Import no Hypothesis for a run that used none: its plugin would, for an empty summary."""
    plugins = session.config.pluginmanager
    if "hypothesis" not in sys.modules and not session.testsfailed:
        plugins.unregister(name="hypothesispytest")


def _roomy_folder() -> str | None:
    """Return a folder in memory, where a database is made in a tenth of the time, if there is one.

    A container's own is often too small.
    """
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and disk_usage(memory).free > 4 << 30 else None


@pytest.fixture(autouse=True)
def _no_secrets_of_other_tests() -> Iterator[None]:
    """Forget the passwords of a test after it: the log of the next one may have them as words."""
    before = masking.hidden()
    yield
    masking._secrets.intersection_update(before)


@pytest.fixture(scope="session")
def cluster_of() -> Iterator[Callable[[int], Cluster]]:
    """Give the server of a version, started when it is first asked for."""
    servers: dict[int, Cluster] = {}
    with (
        TemporaryDirectory(prefix="postgres-of-tests-", dir=_roomy_folder()) as folder,
        ExitStack() as stack,
    ):

        def get(version: int) -> Cluster:
            if version not in servers:
                data = Path(folder) / str(version)
                servers[version] = stack.enter_context(running_cluster(data, version))
            return servers[version]

        yield get


@pytest.fixture(scope="session")
def cluster(cluster_of: Callable[[int], Cluster]) -> Cluster:
    """Give the server of the newest version: what most tests run on."""
    return cluster_of(18)


@pytest.fixture(scope="session", params=[pytest.param(16, marks=pytest.mark.slow), 18])
def any_cluster(request: pytest.FixtureRequest, cluster_of: Callable[[int], Cluster]) -> Cluster:
    """Give each supported server in turn; the older one is a second server to start."""
    version: int = request.param
    return cluster_of(version)


@pytest.fixture(scope="session")
def debian_cluster(cluster_of: Callable[[int], Cluster]) -> Cluster:
    """Give the server of Debian's own packages."""
    _require(DEBIAN[15] / "initdb", "postgresql-15")
    return cluster_of(15)


@pytest.fixture
def pair() -> Iterator[tuple[Cluster, Cluster]]:
    """Give a primary and its standby, servers that a test may stop and promote."""
    with _running_pair() as servers:
        yield servers


@pytest.fixture(scope="module")
def shared_pair() -> Iterator[tuple[Cluster, Cluster]]:
    """Give a primary and its standby that stay what they are."""
    with _running_pair() as servers:
        yield servers


@contextmanager
def _running_pair() -> Iterator[tuple[Cluster, Cluster]]:
    _require(DEBIAN[15] / "initdb", "postgresql-15")
    with (
        TemporaryDirectory(prefix="postgres-of-tests-", dir=_roomy_folder()) as folder,
        running_pair(Path(folder)) as servers,
    ):
        yield servers


@pytest.fixture
def pgbouncer(debian_cluster: Cluster, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Give what makes the owner's URL of a database of `debian_cluster`, by way of PgBouncer."""
    _require(PGBOUNCER, "pgbouncer")
    with running_pgbouncer(tmp_path / "pgbouncer", debian_cluster.port) as port:
        yield partial(debian_cluster.url, port=port)


def _require(program: Path, package: str) -> None:
    """Skip the test where a program of Debian's is missing; in CI, fail it."""
    if not program.exists():
        end = pytest.fail if os.environ.get("CI") else pytest.skip
        end(f"{program} is missing: apt-get install {package}")


@pytest.fixture
def database(cluster: Cluster) -> Iterator[str]:
    """Give the name of an empty database."""
    with cluster.database() as name:
        yield name


@pytest.fixture
def database_url(cluster: Cluster, database: str) -> str:
    """Give the owner's URL of an empty database."""
    return cluster.url(database)


@pytest.fixture(scope="session")
def migrated_template(cluster: Cluster) -> Iterator[str]:
    """Give the name of a database at head, without rows: to be cloned and left alone."""
    from alembic import command

    from tests.migrations.project import config_for

    with cluster.database() as name:
        command.upgrade(config_for(cluster.url(name)), "head")
        yield name


@pytest.fixture(scope="session")
def seeded_template(cluster: Cluster, migrated_template: str) -> Iterator[str]:
    """Give the name of a database at head with the stories: to be cloned and left alone."""
    from backend.seeds import seed
    from tests.migrations.project import engine_for

    with cluster.database(migrated_template) as name:
        with engine_for(cluster.url(name)).begin() as connection:
            seed(connection)
        yield name


@pytest.fixture
def seeded_url(cluster: Cluster, seeded_template: str) -> Iterator[str]:
    """Give the URL of a database of the test's own: at head, with the stories."""
    with cluster.database(seeded_template) as name:
        yield cluster.url(name)
