"""The log has colours for a person at a terminal, and for nothing else."""

import logging
import os
import re
import subprocess
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import pytest

from alembic_boot.output.colour import coloured, is_wanted
from alembic_boot.output.log import TextFormatter
from tests.history import HEAD, OURS
from tests.scenarios.process import DEADLINE, INV, project, write_revision

LONG = "long " * 60
"""More than a line of a terminal."""


class Terminal(StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


@pytest.mark.parametrize(
    ("is_terminal", "environment", "expected"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "dumb"}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": "0"}, False),
        (True, {"NO_COLOR": ""}, True),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": ""}, False),
        (True, {"FORCE_COLOR": "0"}, False),
        (True, {"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    ],
)
def test_when_colours_are_wanted(
    is_terminal: bool, environment: Mapping[str, str], expected: bool
) -> None:
    assert is_wanted(Terminal() if is_terminal else StringIO(), environment) is expected


@pytest.mark.parametrize(
    ("line", "level", "expected"),
    [
        ("12:00 INFO    INFO is said", "INFO", "12:00 \x1b[32mINFO\x1b[0m    INFO is said"),
        ("12:00 WARNING careful", "WARNING", "12:00 \x1b[33mWARNING\x1b[0m careful"),
        ("12:00 ERROR   no", "ERROR", "12:00 \x1b[31mERROR\x1b[0m   no"),
        ("12:00 NOTICE  own level", "NOTICE", "12:00 NOTICE  own level"),
    ],
)
def test_only_the_level_is_coloured(line: str, level: str, expected: str) -> None:
    assert coloured(line, level) == expected


def test_a_traceback_stays_as_it_is() -> None:
    """Only the first line has a level."""
    error = (ValueError, ValueError("ERROR"), None)
    record = logging.LogRecord("any", logging.ERROR, "", 0, "ERROR", None, error)
    first, *rest = TextFormatter(has_colours=lambda: True).format(record).splitlines()
    assert first.endswith(" \x1b[31mERROR\x1b[0m   ERROR")
    assert rest == ["ValueError: ERROR"]


def seen_on_terminal(
    task: str, folder: Path, url: str, stdout: int | None = None, **variables: str
) -> str:
    """Return what `inv` writes to a terminal; its stdout may lead elsewhere."""
    ours, theirs = os.openpty()
    try:
        process = subprocess.Popen(
            [INV, task],
            cwd=folder,
            env={
                "PATH": os.defpath,
                "HOME": str(folder),
                "TERM": "xterm",
                "DATABASE_URL": url,
                **variables,
            },
            stdin=subprocess.DEVNULL,
            stdout=theirs if stdout is None else stdout,
            stderr=theirs,
        )
    finally:
        os.close(theirs)
    said = b""
    try:
        while part := os.read(ours, 65536):
            said += part
    except OSError:  # a terminal that every process has left cannot be read
        pass
    finally:
        os.close(ours)
    assert process.wait(DEADLINE) == 0, said
    return said.decode()


@pytest.mark.slow  # starts two processes: 4 s
def test_a_run_at_a_terminal(tmp_path: Path, database_url: str) -> None:
    """The levels have colours, and the live line stays below the lines, however long they are.

    JSON has no colours at a terminal either.
    """
    folder = project(tmp_path)
    slow = f'op.execute("SELECT pg_sleep(2)")\nprint("{LONG}")'
    write_revision(folder / "alembic" / "versions", "901", HEAD, slow, title="It sleeps")
    text = seen_on_terminal("migrate", folder, database_url)
    lines = text.replace("\x1b[2K", "\r").replace("\r\n", "\n").replace("\r", "\n").splitlines()
    level = " \x1b[32mINFO\x1b[0m    "
    said = [line.partition(level)[2] for line in lines if level in line]
    assert "Database migrations completed successfully" in said
    applied = [line.split()[1] for line in said if line.startswith("Applied ")]
    assert applied == [*OURS, "901"]
    assert "901 It sleeps  (11 of 11)  0:01" in lines
    assert LONG in lines
    assert all(re.match(r"\d{4}-", line) for line in lines if level in line), lines
    assert "Traceback" not in text
    json_lines = seen_on_terminal("wait-db", folder, database_url, LOG_FORMAT="json")
    assert '"level": "INFO"' in json_lines
    assert "\x1b" not in json_lines


@pytest.mark.slow  # starts a process: 1 s
def test_a_log_that_goes_to_a_file(tmp_path: Path, database_url: str) -> None:
    """The file has all lines without colours, and the terminal only the live line."""
    log = tmp_path / "log"
    with log.open("w") as file:
        text = seen_on_terminal("migrate", project(tmp_path), database_url, file.fileno())
    applied = [line.split()[4] for line in log.read_text().splitlines() if " Applied " in line]
    assert applied == list(OURS)
    assert "\x1b" not in log.read_text()
    assert "INFO" not in text
    assert "Traceback" not in text
