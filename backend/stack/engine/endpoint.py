"""Find the engine that docker's own command line would use: the same settings, the same order.

The SDK reads these settings too, but uses the default engine if a context is missing or damaged.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from docker.errors import TLSParameterError
from docker.tls import TLSConfig

from alembic_boot.errors import ConfigurationError
from alembic_boot.named_files import is_there, unreadable

_DEFAULT_CONTEXT = "default"
_DEFAULT_URL = "unix:///var/run/docker.sock"


@dataclass(frozen=True)
class Endpoint:
    """The address of the engine, and its TLS settings."""

    url: str
    tls: TLSConfig | None = None
    context: str | None = None
    """The Docker context with this address; None for DOCKER_HOST or the default engine."""
    is_default: bool = False
    """Whether no setting named an engine."""

    def __str__(self) -> str:
        """Return ` at URL` for sentences; nothing if no setting named an engine."""
        if self.is_default:
            return ""
        return f" at {self.url}" + (f", of the context {self.context}," if self.context else "")


_OBJECTS = ("auths", "credHelpers", "HttpHeaders", "proxies")
"""The parts of config.json that the Docker SDK reads as objects."""


def config_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Return the folder of docker's own configuration."""
    given = environ.get("DOCKER_CONFIG")
    return Path(given) if given else home / ".docker"


def read_config(folder: Path) -> dict[str, Any]:
    """Return the content of config.json in the folder; an empty mapping without the file.

    Raises ConfigurationError for a damaged file. Docker would warn and use its default engine, but
    the file may have named another engine.
    """
    path = folder / "config.json"
    try:
        text = path.read_text(encoding="utf-8").strip()
        found = json.loads(text) if text else {}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(found, dict):
        raise _damaged(path, "it is not an object")
    if not isinstance(found.get("currentContext") or "", str):
        raise _damaged(path, "currentContext is not a text")
    for name in _OBJECTS:
        if not isinstance(found.get(name) or {}, dict):
            raise _damaged(path, f"{name} is not an object")
    return found


def find_endpoint(environ: Mapping[str, str], folder: Path, config: Mapping[str, Any]) -> Endpoint:
    """Return the engine that DOCKER_HOST, DOCKER_CONTEXT or the current context names, in order.

    Raises ConfigurationError if the context is missing or damaged, or a certificate is missing.
    """
    host = environ.get("DOCKER_HOST")
    name = environ.get("DOCKER_CONTEXT") or config.get("currentContext") or _DEFAULT_CONTEXT
    if host or name == _DEFAULT_CONTEXT:
        tls = _tls_of_environment(environ, folder)
        return Endpoint(host or _DEFAULT_URL, tls, is_default=not host)
    origin = "DOCKER_CONTEXT" if environ.get("DOCKER_CONTEXT") else str(folder / "config.json")
    return _read_context(folder / "contexts", name, origin)


def _read_context(store: Path, name: str, origin: str) -> Endpoint:
    key = sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    path = store / "meta" / key / "meta.json"
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{origin} names the Docker context {name}, which does not exist.",
            "`docker context ls` lists the contexts; name one of them, or set DOCKER_HOST.",
        ) from error
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    try:
        described = meta["Endpoints"]["docker"]
        url, skips_check = described["Host"], described.get("SkipTLSVerify", False)
    except (KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, "it has no Endpoints.docker.Host") from error
    if not isinstance(url, str) or not url:
        raise _damaged(path, "its Endpoints.docker.Host is not a text")
    files = store / "tls" / key / "docker"
    try:
        has_certificates = files.is_dir() and any(files.iterdir())
    except OSError as error:
        raise unreadable(files, error) from error
    is_secured = skips_check or has_certificates
    tls = _tls(files, is_verified=not skips_check) if is_secured else None
    return Endpoint(url, tls, context=name)


def _tls_of_environment(environ: Mapping[str, str], folder: Path) -> TLSConfig | None:
    is_verified = bool(environ.get("DOCKER_TLS_VERIFY"))
    if not is_verified and not environ.get("DOCKER_TLS"):
        return None
    given = environ.get("DOCKER_CERT_PATH")
    files = Path(given) if given else folder
    if not is_there(files / "ca.pem"):
        raise ConfigurationError(
            f"{'DOCKER_TLS_VERIFY' if is_verified else 'DOCKER_TLS'} is set, and there is no "
            f"{files / 'ca.pem'}.",
            "Name the certificates' folder in DOCKER_CERT_PATH.",
        )
    return _tls(files, is_verified=is_verified)


def _tls(files: Path, *, is_verified: bool) -> TLSConfig:
    """Return the TLS settings for the certificates in a folder; each file may be absent."""
    authority, certificate, key = (
        path if is_there(path := files / f"{name}.pem") else None for name in ("ca", "cert", "key")
    )
    if (certificate is None) != (key is None):
        missing = "cert.pem" if certificate is None else "key.pem"
        raise ConfigurationError(
            f"{files} has no {missing}.", "A certificate and its key belong together: add it."
        )
    try:
        return TLSConfig(
            client_cert=(str(certificate), str(key)) if certificate and key else None,
            ca_cert=str(authority) if authority else None,
            verify=is_verified,
        )
    except TLSParameterError as error:
        raise ConfigurationError(
            f"The certificates in {files} cannot be used: {error}.", "Replace them."
        ) from error


def _damaged(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path} cannot be read, so it is unknown which engine is meant: {reason.rstrip('.')}.",
        "Correct the file, or remove it.",
    )
