"""The OpenAPI document, tried by schemathesis in a run of pytest's own.

To make the requests takes seconds. Here each process would do so to find the tests.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CONTRACT = Path(__file__).with_name("contract.py")
OPTIONS = ("-p", "no:cacheprovider")


def test_what_the_document_says_is_what_is_answered(tmp_path: Path) -> None:
    """All tests of contract.py pass."""
    environment = {it: os.environ[it] for it in os.environ if not it.startswith("PYTEST_")}
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-n0", "-q", *OPTIONS, f"--basetemp={tmp_path}", CONTRACT],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
