"""Base images made from the distribution's packages, if no image registry can be reached.

They replace the official images of Python and PostgreSQL, under names of their own. Packages come
from this machine's own sources, by the settings of its apt and pip.
"""

import logging
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from docker import DockerClient
from docker.errors import ImageNotFound
from dotenv import set_key

from alembic_boot.errors import ConfigurationError, EngineError
from backend.stack.engine.images import run_build

_log = logging.getLogger(__name__)

PREFIX = "moriai-standin"
"""The prefix of these images' names."""

VARIABLES = {"python": "PYTHON_IMAGE", "postgres": "POSTGRES_IMAGE"}
"""The variable of the Compose file for each image."""

_SOURCES = (
    "etc/apt/sources.list",
    "etc/apt/sources.list.d/debian.sources",
    "etc/apt/sources.list.d/ubuntu.sources",
)
_PIP_AND_CERTIFICATES = ("etc/pip.conf", "etc/ssl/certs/ca-certificates.crt")


def make_standins(
    client: DockerClient, recipes: Path, env_file: Path, *, rebuild: bool = False
) -> Mapping[str, str]:
    """Make the missing images and write their names into `env_file`; return variable to name.

    `recipes` is the folder with a Dockerfile for each image. With `rebuild` all images are built
    again. Raises ConfigurationError if this machine cannot do it, EngineError if the engine
    refuses.
    """
    base = f"{PREFIX}/base:{_codename()}"
    names = {variable: f"{PREFIX}/{kind}:{_codename()}" for kind, variable in VARIABLES.items()}
    with _files_for_everybody():
        if rebuild or not _is_there(client, base):
            _import_base(client, base)
        for kind, variable in VARIABLES.items():
            if rebuild or not _is_there(client, names[variable]):
                _build(client, names[variable], recipes / kind, base, rebuild=rebuild)
        # Under `sudo` the file belongs to root.
        for variable, name in names.items():
            set_key(env_file, variable, name, quote_mode="never")
    _log.info(
        "%s names them now, instead of the official images: they contain the distribution's "
        "own versions",
        env_file,
    )
    return names


@contextmanager
def _files_for_everybody() -> Iterator[None]:
    """Make new files and folders readable by all: they become files of the images."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def _is_there(client: DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def _import_base(client: DockerClient, name: str) -> None:
    """Make an image of the distribution's smallest system."""
    program = shutil.which("debootstrap", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if program is None:
        raise ConfigurationError(
            "debootstrap is not installed, which makes a system from the distribution's packages.",
            "Install it: apt-get install debootstrap.",
        )
    if os.geteuid() != 0:
        raise ConfigurationError(
            "Only root can make a system from the distribution's packages.",
            "Run it as root: sudo .venv/bin/inv images.",
        )
    with TemporaryDirectory(prefix="standin-") as folder:
        root, archive = Path(folder) / "root", Path(folder) / "root.tar"
        _log.info("Making %s from %s's packages, which takes a minute...", name, _codename())
        _run(program, "--variant=minbase", _codename(), str(root), _mirror())
        _copy_from_machine(root, _SOURCES)
        _run("tar", "-C", str(root), "-cf", str(archive), ".")
        repository, _, tag = name.partition(":")
        client.api.import_image_from_file(str(archive), repository=repository, tag=tag)


def _build(client: DockerClient, name: str, recipe: Path, base: str, *, rebuild: bool) -> None:
    with TemporaryDirectory(prefix="standin-") as folder:
        context = Path(folder) / "context"
        shutil.copytree(recipe, context)
        (context / "machine").mkdir()
        _copy_from_machine(context / "machine", _PIP_AND_CERTIFICATES)
        run_build(
            client,
            name,
            {"BASE": base},
            title=recipe.name,
            path=str(context),
            nocache=rebuild,
            labels={"org.opencontainers.image.title": f"Stands in for {recipe.name}"},
        )


def _copy_from_machine(target: Path, names: tuple[str, ...]) -> None:
    for name in names:
        source = Path("/") / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)


def _run(*command: str) -> None:
    finished = subprocess.run(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if finished.returncode != 0:
        lines = finished.stdout.strip().splitlines() or ["it says nothing"]
        raise EngineError(
            f"{Path(command[0]).name} failed: {lines[-1].rstrip('.')}.",
            "See whether apt-get update works on this machine.",
        )


def _codename() -> str:
    """Return the code name of this machine's distribution release. Raises ConfigurationError."""
    for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        if name == "VERSION_CODENAME" and value:
            return value.strip('"')
    raise ConfigurationError(
        "Stand-ins are made on Debian and Ubuntu, and this machine has neither.",
        "Name images that the engine has in PYTHON_IMAGE and POSTGRES_IMAGE.",
    )


def _mirror() -> str:
    """Return the address of this machine's source of the distribution's packages."""
    for name in _SOURCES:
        path = Path("/") / name
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            words = line.split()
            if line.startswith("URIs:") and words[1:]:
                return words[1]
            if line.startswith("deb "):
                return next(word for word in words[1:] if "://" in word)
    raise ConfigurationError(
        "apt on this machine has no source of the distribution's packages.",
        "Name one in /etc/apt/sources.list.",
    )
