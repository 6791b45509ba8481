"""What is wrong with a build's files is said before the engine is asked."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from docker import DockerClient

from alembic_boot.errors import ConfigurationError
from backend.stack.engine.images import run_build


def test_file_that_cannot_be_read() -> None:
    """A file of another user in the context is named."""

    def build(**_options: Any) -> None:
        raise PermissionError(13, "Permission denied", "/b/app.py")

    client = cast(DockerClient, SimpleNamespace(api=SimpleNamespace(build=build)))
    with pytest.raises(ConfigurationError) as raised:
        run_build(client, "x", {}, title="web", path=str(Path("/books")))
    assert str(raised.value) == (
        "A file of web cannot be sent to the engine: [Errno 13] Permission denied: '/b/app.py'. "
        "Give this user the right to read it, or name it in .dockerignore."
    )
