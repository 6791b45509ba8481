"""The status page while a start is at work, at the handover and afterwards."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from signal import SIGTERM
from typing import Any

import pytest

from tests.cluster import PASSWORD, Cluster, free_port
from tests.history import HEAD
from tests.scenarios.process import Running, project, run, running_from_scratch, write_revision
from tests.waiting import SOON, wait_until

pytestmark = pytest.mark.slow

STATEMENT = "ALTER TABLE users ADD COLUMN extra int"
"""It waits for a table that the test keeps locked."""

HTML = {"Accept": "text/html"}


def ask(port: int, path: str, **headers: str) -> tuple[int, str, str]:
    """Return status, body and place of an answer; 0 if nothing listens."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=SOON)) as connection:
        try:
            connection.request("GET", path, headers=headers)
            found = connection.getresponse()
            return found.status, found.read().decode(), found.headers.get("Location", "")
        except ConnectionRefusedError:
            return 0, "", ""


def report(port: int) -> dict[str, Any]:
    status, text, _ = ask(port, "/_boot.json")
    found: dict[str, Any] = json.loads(text) if status == 200 else {}
    return found


def statuses(found: dict[str, Any]) -> dict[str, str]:
    return {it["id"]: it["status"] for it in found["revisions"] or ()}


@contextmanager
def starting(
    folder: Path, cluster: Cluster, database: str, **variables: str
) -> Iterator[tuple[Running, Any]]:
    """Start with a revision that another session blocks; give what unblocks it."""
    url = cluster.url(database)
    run(folder, "migrate", DATABASE_URL=url).assert_ok()
    versions = folder / "alembic" / "versions"
    write_revision(
        versions, "901", HEAD, f'op.execute("{STATEMENT}")', title="<script>alert(1)</script>"
    )
    with closing(cluster.connect(database)) as session:
        session.autocommit = False
        session.cursor().execute("SET application_name = 'nightly'; LOCK TABLE users")
        with running_from_scratch(folder, "start", DATABASE_URL=url, **variables) as inv:
            yield inv, session.commit


def test_in_development(tmp_path: Path, cluster: Cluster, database: str) -> None:
    """One page on one port: first from the start, then from the application."""
    port = free_port()
    variables = {"APP_ENV": "dev", "SEED": "false", "BACKEND_PORT": str(port)}
    with starting(project(tmp_path), cluster, database, **variables) as (inv, unblock):
        wait_until(lambda: (report(port).get("running") or {}).get("tries", 0) > 2)
        wait_until(lambda: statuses(report(port)).get("901") == "running")
        found = report(port)
        running = found["running"]
        assert (found["condition"], running["id"], running["number"]) == ("booting", "901", 1)
        assert "nightly" in running["blocked_by"]
        assert running["statement"] == STATEMENT
        assert 0 < running["budget_left"] < 120
        assert ("nightly", False) in [
            (it["application"], it["is_starter"]) for it in found["sessions"]
        ]
        assert [it["release"] for it in found["sessions"] if it["is_starter"]][:1] == ["0.1.0"]
        assert ask(port, "/", **HTML)[::2] == (307, "/_boot")
        status, text, _ = ask(port, "/_boot/events")
        assert (status, text.splitlines()[0]) == (200, "retry: 1000")
        status, text, _ = ask(port, "/_boot")
        assert status == 200
        assert "<script>alert" not in text
        unblock()
        while report(port)["condition"] == "booting":
            assert ask(port, "/_boot")[0] == 200  # no answer is lost at the handover
        wait_until(lambda: report(port)["condition"] == "ready")
        found = report(port)
        assert (found["running"], found["current"], found["problems"]) == (None, ["901"], [])
        assert [it["status"] for it in found["stages"]] == ["done", "done", "done", "done"]
        assert "moriai" in [it["application"] for it in found["sessions"]]
        assert ask(port, "/", **HTML)[::2] == (307, "/_boot")
        assert ask(port, "/_boot/revisions/901")[0] == 200
        inv.signal(SIGTERM)
        inv.finish().assert_ok()


def test_in_production_on_its_own_port(tmp_path: Path, cluster: Cluster, database: str) -> None:
    """From the beginning to the end of the process, and not on the port of the application."""
    port, status_port = free_port(), free_port()
    variables = {
        "APP_ENV": "prod",
        "JWT_SECRET": "a long secret of this test",
        "BACKEND_PORT": str(port),
        "STATUS_PORT": str(status_port),
    }
    folder = project(tmp_path)
    with starting(folder, cluster, database, **variables) as (inv, unblock):
        wait_until(lambda: (report(status_port).get("running") or {}).get("blocked_by"))
        assert ask(port, "/_boot")[0] == 503
        assert ask(status_port, "/")[::2] == (307, "/_boot")
        assert [ask(status_port, it)[0] for it in ("/_boot", "/health/live")] == [200, 404]
        unblock()
        wait_until(lambda: report(status_port)["condition"] == "ready")
        wait_until(lambda: ask(port, "/health/ready")[0] == 200)
        for path in ("/_boot", "/_boot.json", "/_boot/events"):
            assert ask(port, path)[0] == 404
        for path in ("/_boot", "/_boot.json", "/_boot/revisions/901"):
            wait_until(lambda it=path: ask(status_port, it)[0] == 200)  # type: ignore[misc]
            text = ask(status_port, path)[1]
            assert PASSWORD not in text
            assert "a long secret" not in text
        inv.signal(SIGTERM)
        inv.finish().assert_ok()
        assert ask(status_port, "/_boot")[0] == 0


def test_a_taken_port_of_its_own(tmp_path: Path, database_url: str) -> None:
    """It is known before anything moves."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        variables = {"STATUS_PORT": str(port), "BACKEND_PORT": "0", "APP_ENV": "test"}
        finished = run(project(tmp_path), "start", DATABASE_URL=database_url, **variables)
    finished.assert_failed(11, f"Port {port} on 127.0.0.1 is taken. …`STATUS_PORT=… start`.")
    finished.assert_never_says("Waiting for PostgreSQL…")
