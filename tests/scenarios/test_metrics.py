"""What Prometheus is told of a service that was really booted."""

from pathlib import Path
from signal import SIGTERM

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.scenarios.process import project, running_from_scratch

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "manner",
    [{}, {"WEB_CONCURRENCY": "2"}, {"RELOAD": "true"}],
    ids=["alone", "workers", "reload"],
)
def test_the_stages_of_the_boot(tmp_path: Path, database_url: str, manner: dict[str, str]) -> None:
    """Their durations reach the process that serves, whichever that is."""
    settings = {"DATABASE_URL": database_url, "BACKEND_PORT": "0", **manner}
    with running_from_scratch(project(tmp_path), "start", **settings) as inv:
        inv.wait_for("Backend started", count=int(manner.get("WEB_CONCURRENCY", "1")))
        text = httpx.get(f"{inv.url}/metrics").text
        inv.signal(SIGTERM)
        inv.finish().assert_ok()
    families = {it.name: it for it in text_string_to_metric_families(text)}
    stages = families["moriai_boot_stage_seconds"].samples
    assert {it.labels["stage"] for it in stages} == {"wait", "migrate", "seed"}
    assert all(0 < it.value < 60 for it in stages)
    assert all(("worker" in it.labels) == ("WEB_CONCURRENCY" in manner) for it in stages)
