"""Two passes of the tests, and one exit status."""

import subprocess
import sys
from pathlib import Path

import pytest

from backend.ci.passes import arguments, goes_on, verdict

ROOT = Path(__file__).parents[2]


def test_those_that_run_alone_come_last_in_one_process() -> None:
    """Also if the arguments ask for more processes."""
    together, alone = arguments(2, "-n 8 tests/api")
    assert together == "--pass=together -n 5 --dist worksteal -n 8 tests/api"
    assert alone == "--pass=alone -n 8 tests/api -n 0"


def test_quick_ones_are_one_pass() -> None:
    assert arguments(8, quick=True) == ["--pass=together -n 8 --dist worksteal -m 'not slow'"]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([0, 0], 0),
        ([1, 0], 1),
        ([0, 1], 1),
        ([0, 5], 0),
        ([5, 0], 0),
        ([5, 1], 1),
        ([5, 5], 5),
        ([2], 2),
        ([1, 3], 3),
        ([-9], -9),
    ],
)
def test_the_verdict_is_the_worst(statuses: list[int], expected: int) -> None:
    assert verdict(statuses) == expected


@pytest.mark.parametrize(("status", "expected"), [(0, True), (1, True), (5, True), (2, False)])
def test_an_interrupted_pass_is_the_last(status: int, expected: bool) -> None:
    assert goes_on(status) is expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "expected"), [((), "2 passed"), (("--pass=alone",), "1 passed, 1 deselected")]
)
def test_a_pass_takes_its_tests(tmp_path: Path, option: tuple[str, ...], expected: str) -> None:
    """Without the option all tests run."""
    text = "import pytest\n@pytest.mark.alone\ndef test_a(): pass\ndef test_b(): pass\n"
    (tmp_path / "test_both.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", "pyproject.toml"]
    finished = subprocess.run(
        [*command, *option, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert f"{expected} in" in finished.stdout, finished


INV = str(Path(sys.executable).parent / "inv")


def run_task(args: str) -> subprocess.CompletedProcess[str]:
    """Run `inv test` with arguments for pytest."""
    command = [INV, "test", "--args", args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_an_error_of_pytest_fails_the_task() -> None:
    """With pytest's own status."""
    assert run_task("-n0 tests/there_is_no_such_test.py").returncode == 4


@pytest.mark.slow
def test_a_failed_test_fails_the_task(tmp_path: Path) -> None:
    """Also if the other pass has nothing to run."""
    path = tmp_path / "test_that_fails.py"
    path.write_text("def test_it() -> None:\n    assert False\n")
    finished = run_task(f"-n0 -c pyproject.toml -p tests.conftest {path}")
    assert finished.returncode == 1, finished.stdout + finished.stderr
