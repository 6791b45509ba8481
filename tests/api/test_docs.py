"""The page of the API, in a real browser: it needs nothing but the service itself."""

import asyncio
import json
import os
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI

from alembic_boot.serving.server import Config
from backend.api.dependencies import resources
from backend.api.docs import router
from backend.main import create_app
from tests.api.application_settings import settings_for
from tests.api.server import serving

CHROMIUM = "chromium"

PATIENCE = 20_000
"""Milliseconds of the page's own time; they pass at once if it waits for nothing."""


def browsed(url: str, folder: Path) -> tuple[str, set[str]]:
    """Return the page as a browser has it when its scripts have run, and what it has asked for."""
    if shutil.which(CHROMIUM) is None:
        end = pytest.fail if os.environ.get("CI") else pytest.skip
        end("chromium is missing: apt-get install chromium")
    log = folder / "requests.json"
    command = [
        *(CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *(f"--user-data-dir={folder / 'browser'}", "--no-first-run"),
        *(f"--virtual-time-budget={PATIENCE}", f"--log-net-log={log}", "--dump-dom", url),
    ]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    finished = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    return finished.stdout, asked(json.loads(log.read_text()), origin)


def asked(log: dict[str, Any], origin: str) -> set[str]:
    """Return the URLs that pages of this origin have asked for; a browser has its own as well."""
    begins = log["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    requests = (it["params"] for it in log["events"] if it["type"] == begins and "params" in it)
    return {it["url"] for it in requests if it.get("initiator") == origin}


@pytest.mark.slow
def test_a_browser_shows_every_operation(seeded_client: httpx.Client, tmp_path: Path) -> None:
    """No request leaves the origin, and the page's policy is in the way of nothing that it does."""
    base = str(seeded_client.base_url).rstrip("/")
    page, requests = browsed(f"{base}/docs", tmp_path)
    operations = [
        operation
        for methods in create_app().openapi()["paths"].values()
        for operation in methods.values()
    ]
    assert page.count('class="opblock opblock-') == len(operations)
    assert [it["summary"] for it in operations if it["summary"] not in page] == []
    assert {f"{base}/docs/swagger-ui-bundle.js", f"{base}/openapi.json"} <= requests
    assert {urlsplit(it).netloc for it in requests} == {urlsplit(base).netloc}


def test_the_page_allows_nothing_from_elsewhere(seeded_client: httpx.Client) -> None:
    """Nor a script within itself, nor to be shown within another page."""
    page = seeded_client.get("/docs")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "://" not in policy + page.text


def test_no_header_is_sent_twice(seeded_client: httpx.Client) -> None:
    """The server that `inv serve` starts gives some headers to every answer."""
    of_server = {name.lower() for name, _ in Config("backend.main:app").headers}
    assert of_server == {"x-content-type-options", "referrer-policy"}
    for path in ("/docs", "/docs/start.js", "/docs/swagger-ui.css"):
        assert of_server.isdisjoint(seeded_client.get(path).headers)


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("swagger-ui-bundle.js", 200, "text/javascript"),
        ("swagger-ui.css", 200, "text/css"),
        ("start.js", 200, "text/javascript"),
        ("favicon.png", 200, "image/png"),
        ("redoc.standalone.js", 404, "application/problem+json"),
        ("..%2fcore.py", 404, "application/problem+json"),
    ],
)
def test_the_page_consists_of_these(
    seeded_client: httpx.Client, name: str, status: int, kind: str
) -> None:
    answer = seeded_client.get(f"/docs/{name}")
    assert answer.status_code == status
    assert answer.headers["content-type"].split(";")[0] == kind


@pytest.mark.parametrize(
    ("variables", "status"),
    [
        ({"APP_ENV": "prod"}, 404),
        ({"APP_ENV": "prod", "API_DOCS": "true"}, 200),
        ({"APP_ENV": "test", "API_DOCS": "false"}, 404),
    ],
)
def test_production_shows_them_if_asked_to(
    seeded_url: str, variables: dict[str, str], status: int
) -> None:
    """The page and the document go together; what is held back looks like what is not there."""
    with serving(create_app(settings_for(seeded_url, **variables))) as client:
        answers = [client.get(it) for it in ("/docs", "/openapi.json", "/docs/start.js")]
        nothing = client.get("/nothing")
    assert [it.status_code for it in answers] == [status] * 3
    if status == 404:
        assert {it.json()["detail"] for it in answers} == {nothing.json()["detail"]}


@pytest.mark.parametrize("path", ["/docs/swagger-ui-bundle.js", "/openapi.json"])
def test_all_readers_of_the_document_share_one_copy(path: str) -> None:
    """So that many slow ones take no memory."""
    bodies: list[bytes] = []

    async def send(message: Any) -> None:
        if body := message.get("body"):
            bodies.append(body)

    async def receive() -> Any:
        return {"type": "http.request"}

    app = FastAPI(openapi_url=None)
    app.include_router(router)
    app.dependency_overrides[resources] = lambda: SimpleNamespace(shows_docs=True)
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    for _ in range(2):
        asyncio.run(app(dict(scope), receive, send))
    one, other = bodies
    assert one is other
