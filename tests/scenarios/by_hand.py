"""`alembic` as people type it, on the project of a scene."""

import os
import subprocess
import sys
from pathlib import Path

from tests.scenarios.scene import S, Scene


def by_hand(scene: Scene[S], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `alembic` itself."""
    ini = scene.foreign.config
    url = scene.cluster.url(scene.database, user=scene.user)
    text = f"[alembic]\nscript_location = %(here)s/scripts\nsqlalchemy.url = {url}\n"
    ini.write_text(text, encoding="utf-8")
    return subprocess.run(
        [Path(sys.executable).parent / "alembic", "-c", ini, *arguments],
        cwd=Path(__file__).parents[2],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
