"""The frame of a task: log, streams, signals, and failures as exit statuses."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import NoReturn, Protocol, TypeVar

from alembic_boot.commands import as_typed, setting
from alembic_boot.errors import BootError, ConfigurationError
from alembic_boot.imports import keep_objects
from alembic_boot.output.foreign import plugin_failure
from alembic_boot.output.log import (
    configure_logging,
    report_cause,
    report_failure,
    report_misspelt,
    report_service_links,
    report_unforeseen,
)
from alembic_boot.output.log_fields import failure_fields
from alembic_boot.output.stdout import give_up_unwritten, prepare_streams
from alembic_boot.signals import Stopped, stopping_on_signals


class LogSettings(Protocol):
    """The settings of the log."""

    @property
    def log_level(self) -> str:
        """`debug`, `info`, `warning` or `error`."""

    @property
    def log_format(self) -> str:
        """`text` or `json`."""

    @property
    def service_links(self) -> tuple[str, ...]:
        """Variables that Kubernetes has set for a Service of ours: they count as unset."""

    @property
    def misspelt(self) -> tuple[tuple[str, str], ...]:
        """Names that are no setting, each with the nearest setting or an empty text."""


L = TypeVar("L", bound=LogSettings)

_NO_THREAD = "can't start new thread"
"""Python's text for that; it has no type of its own."""

Overrides = Mapping[str, str | None]
"""Variables that flags set, by name; None or an empty text sets nothing."""


@contextmanager
def reporting_failures(
    load: Callable[[], L],
    stream: str = "stdout",
    *,
    is_quiet: bool = False,
    overrides: Overrides = MappingProxyType({}),
) -> Iterator[L]:
    """Yield the result of `load`, with logging and signals set up; failures become exit statuses.

    `stream` is where the log goes: stderr for tasks that print. With `is_quiet`, stdout is only for
    the task's own output; other code writes to stderr. Raises SystemExit.
    """
    prepare_streams(is_reserved=is_quiet)
    log_format = os.environ.get(setting("LOG_FORMAT"), "text")
    try:
        with stopping_on_signals():
            os.environ.update({name: text for name, text in overrides.items() if text})
            settings = load()
            log_format = settings.log_format
            configure_logging(settings.log_level, log_format, stream)
            report_service_links(settings.service_links)
            report_misspelt(settings.misspelt, as_typed("--help"))
            yield settings
    except BootError as error:
        _fail(error, log_format)
    except Stopped as stop:
        report_failure(f"Stopped by {stop.name}.", log_format)
        raise
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 (unforeseen errors end here, passwords masked)
        if failure := plugin_failure(error) or _no_thread(error):
            _fail(failure, log_format)
        report_unforeseen(log_format)
        raise SystemExit(1) from None
    finally:
        give_up_unwritten()
        keep_objects()


def _no_thread(error: BaseException) -> ConfigurationError | None:
    """Return the failure if the system allows no more threads; else None."""
    if not isinstance(error, RuntimeError) or str(error) != _NO_THREAD:
        return None
    failure = ConfigurationError(
        "The system allows this process no more threads.",
        "Raise the limit: `ulimit -u`, or pids_limit of the container.",
    )
    failure.__cause__ = error
    return failure


def _fail(error: BootError, log_format: str) -> NoReturn:
    report_cause(error)
    report_failure(str(error), log_format, failure_fields(error))
    raise SystemExit(error.exit_status) from None
