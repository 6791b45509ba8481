"""An image made of this machine's own shell and a few programs: nothing is pulled."""

import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from docker import DockerClient
from docker.errors import NotFound

from backend.stack.engine.labels import of_run

RUN = "moriai.tests.run"
"""The label of what a run of the tests made."""


PROGRAMS = ("sh", "sleep", "touch", "cat", "env")


@pytest.fixture(scope="session")
def tiny_image(engine: DockerClient) -> Iterator[str]:
    """Give an image made of this machine's own shell and a few programs: nothing is pulled.

    What is made of it carries its label, too.
    """
    run = uuid4().hex[:12]
    name = f"moriai-tests-{run}:tiny"
    repository, tag = name.split(":")
    labels = {RUN: run, **of_run()}
    changes = [f"LABEL {label}={value}" for label, value in labels.items()]
    engine.api.import_image_from_data(_archive(), repository=repository, tag=tag, changes=changes)
    yield name
    for container in engine.containers.list(all=True, filters={"label": f"{RUN}={run}"}):
        container.remove(force=True, v=True)
    # Newest first: a parent cannot go before its children.
    for image in engine.images.list(all=True, filters={"label": f"{RUN}={run}"}):
        with suppress(NotFound):
            engine.images.remove(str(image.id), force=True)


def _archive() -> bytes:
    """Return a root file system with a few programs of this machine and the libraries they need."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        files = {path for program in PROGRAMS for path in _with_libraries(program)}
        for path in sorted(files):
            archive.add(path.resolve(), arcname=str(path), recursive=False)
        for folder in ("tmp", "data", "proc", "dev", "sys", "etc", "run"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o777
            archive.addfile(entry)
    return data.getvalue()


def _with_libraries(program: str) -> set[Path]:
    path = shutil.which(program)
    assert path is not None, program
    listed = subprocess.run(["ldd", path], check=True, capture_output=True, text=True).stdout
    libraries = re.findall(r"(/\S+) \(0x", listed)
    return {Path("/bin") / program if Path(path) == Path("/usr/bin") / program else Path(path)} | {
        Path(it) for it in libraries
    }
