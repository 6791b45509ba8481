"""The application shows the status page in development, and nowhere else."""

import pytest

from backend.main import create_app
from tests.api.application_settings import settings_for
from tests.api.server import serving


@pytest.mark.slow
@pytest.mark.parametrize("app_env", ["dev", "test", "prod"])
def test_where_it_is_shown(seeded_url: str, app_env: str) -> None:
    """Elsewhere its paths are like any other that is not there."""
    with serving(create_app(settings_for(seeded_url, APP_ENV=app_env))) as client:
        unknown = client.get("/no-such-path")
        found = {it: client.get(it) for it in ("/_boot", "/_boot.json", "/_boot/revisions/001")}
        if app_env != "dev":
            assert {it.status_code for it in found.values()} == {404}
            assert {it.json()["type"] for it in found.values()} == {unknown.json()["type"]}
            assert client.post("/_boot").status_code == 404
            return
        assert {it.status_code for it in found.values()} == {200}
        report = found["/_boot.json"].json()
        assert (report["condition"], report["state"]) == ("ready", "current")
        assert client.get("/").headers["Location"] == "/_boot"
        for link in report["links"]:
            assert f'href="{link["address"]}"' in found["/_boot"].text
            assert client.get(link["address"]).status_code == 200
        assert client.post("/_boot").status_code == 405
