"""Credentials for image registries, read from config.json as docker's command line does."""

import logging
import warnings
from collections.abc import Mapping
from typing import Any

from docker.auth import AuthConfig
from docker.credentials.errors import StoreError
from docker.errors import DockerException

from alembic_boot.errors import ConfigurationError

logger = logging.getLogger(__name__)

_FAILURES = (DockerException, StoreError, OSError, ValueError, KeyError, TypeError)
"""Exceptions of the SDK if a helper is missing, fails, or gives an invalid answer."""


class Credentials(AuthConfig):
    """Credentials of config.json. A helper that does not work counts as one without credentials."""

    def __init__(self, found: dict[str, Any]) -> None:
        super().__init__(found)
        self._failed: set[str] = set()

    @property
    def is_empty(self) -> bool:
        """Return False: otherwise the SDK would read the files again, and find more than docker."""
        return False

    def resolve_authconfig(self, registry: str | None = None) -> Any:
        """Return the credentials for one registry, or None."""
        helper = self.get_credential_store(registry)
        if helper:
            asked = self._ask(str(helper), registry)
            if asked is not None:
                return asked
        return AuthConfig({"auths": dict(self.auths)}).resolve_authconfig(registry)

    def get_all_credentials(self) -> dict[str, Any]:
        """Return the credentials of each known registry."""
        found = dict(self.auths)
        if self.creds_store:
            found |= self._ask_all({"credsStore": self.creds_store}, str(self.creds_store))
        for registry, helper in self.cred_helpers.items():
            found |= self._ask_all({"credHelpers": {registry: helper}}, str(helper))
        return {registry: entry for registry, entry in found.items() if entry is not None}

    def _ask(self, helper: str, registry: str | None) -> Any:
        try:
            with warnings.catch_warnings(action="ignore"):
                return AuthConfig({"credsStore": helper}).resolve_authconfig(registry)
        except _FAILURES as error:
            self._log_failure(helper, error)
            return None

    def _ask_all(self, part: dict[str, Any], helper: str) -> dict[str, Any]:
        try:
            with warnings.catch_warnings(action="ignore"):
                return dict(AuthConfig(part).get_all_credentials())  # type: ignore[no-untyped-call]
        except _FAILURES as error:
            self._log_failure(helper, error)
            return {}

    def _log_failure(self, helper: str, error: Exception) -> None:
        if helper in self._failed:
            return
        self._failed.add(helper)
        # Without the helper's output, which may contain a secret.
        logger.warning(
            "docker-credential-%s, which Docker's config.json names, gave no credentials; going on "
            "without them",
            helper,
        )
        logger.debug("It ended with %s", type(error).__name__)


def read_credentials(config: Mapping[str, Any], where: str) -> Credentials:
    """Return the credentials in config.json. Raises ConfigurationError for damaged ones."""
    try:
        auths = AuthConfig.parse_auth(config.get("auths") or {}, raise_on_error=True)
    except _FAILURES as error:
        raise ConfigurationError(
            f"auths in {where} cannot be read.", "Correct it, or run `docker login` again."
        ) from error
    helpers = config.get("credHelpers") or {}
    return Credentials(
        {"auths": auths, "credsStore": config.get("credsStore"), "credHelpers": helpers}
    )
