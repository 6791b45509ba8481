"""The files that other programs read at the top of the repository."""

import re
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
