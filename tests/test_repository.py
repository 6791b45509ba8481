"""The files that other programs read at the top of the repository, and rules for all tests."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]


def test_actions_are_pinned() -> None:
    """A tag can be moved to other code; a commit cannot. The comment is for Dependabot."""
    workflows = (ROOT / ".github" / "workflows").glob("*.yml")
    text = "".join(path.read_text(encoding="utf-8") for path in workflows)
    used = re.findall(r"uses: (.*)", text)
    assert used
    assert [it for it in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", it)] == []


def test_dependabot_sees_every_folder_with_dependencies() -> None:
    """A folder that is listed has a Dockerfile, and none is left out."""
    text = (ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8")
    updates = {it["package-ecosystem"]: it for it in yaml.safe_load(text)["updates"]}
    assert set(updates) == {"pip", "github-actions", "docker"}
    recipes = (ROOT / "docker").rglob("Dockerfile")
    folders = {f"/{path.parent.relative_to(ROOT)}" for path in recipes}
    assert set(updates["docker"]["directories"]) == folders


def test_commits_are_checked_as_make_lint_does() -> None:
    """One hook, so that the two cannot differ."""
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    [repository] = yaml.safe_load(text)["repos"]
    assert [hook["entry"] for hook in repository["hooks"]] == ["make lint"]


def test_no_test_module_imports_another() -> None:
    """What several of them use stands in a fixture, or in a module without tests."""
    found = [
        f"{path.relative_to(ROOT)}: {line}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.match(r"\s*(from|import) tests(\.\w+)*\.(test_\w+|conftest)\b", line)
        or re.match(r"\s*from tests[\w.]* import .*\b(test_\w+|conftest)\b", line)
    ]
    assert found == []


CLOCKS = {"monotonic", "perf_counter", "process_time", "thread_time", "time"}


def test_no_test_limits_a_time() -> None:
    """A busy machine is ten times slower than a quiet one.

    So `soon` and `wait_until` have the only limits, and the benchmarks measure times. Tests that
    run alone measure what the application does under load.
    """
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        if "benchmarks" not in path.parts and path.name != "waiting.py"
        if "mark.alone" not in (text := path.read_text(encoding="utf-8"))
        if any(f"{clock}()" in text for clock in CLOCKS)
        for line in _limited_times(ast.parse(text))
    ]
    assert found == []


def _limited_times(module: ast.Module) -> Iterator[int]:
    """Yield the lines of the assertions that a time is at most something."""
    nodes = list(ast.walk(module))
    times = {
        ast.unparse(it.targets[0]) for it in nodes if isinstance(it, ast.Assign) and _is_time(it)
    }
    for it in nodes:
        if not isinstance(it, ast.Assert) or not isinstance(it.test, ast.Compare):
            continue
        compared = [it.test.left, *it.test.comparators]
        for operator, less, more in zip(it.test.ops, compared, compared[1:], strict=False):
            limited = more if isinstance(operator, ast.Gt | ast.GtE) else less
            if _is_time(limited) or ast.unparse(limited) in times:
                yield it.lineno


def _is_time(node: ast.AST) -> bool:
    """Return whether it is what a clock says, less an earlier time; or is set to that."""
    value = node.value if isinstance(node, ast.Assign) else node
    return (
        isinstance(value, ast.BinOp)
        and isinstance(value.op, ast.Sub)
        and isinstance(value.left, ast.Call)
        and ast.unparse(value.left.func).rpartition(".")[2] in CLOCKS
    )
