"""How often an env.py calls `run_migrations()`, by its text."""

from pathlib import Path
from textwrap import dedent

import alembic
import pytest

from alembic_boot.environment.env_text import calls_once
from tests.scenarios.process import FOREIGN_ENV, ROOT

TEMPLATES = Path(alembic.__file__).parent / "templates"


def once(folder: Path, text: str) -> bool:
    env_py = folder / "env.py"
    env_py.write_text(dedent(text))
    return calls_once(env_py)


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("*/env.py")), ids=str)
def test_the_templates_of_alembic(template: Path) -> None:
    """They have one call for either mode, and one of the modes runs; multidb has one a database."""
    assert calls_once(template) == (template.parent.name != "multidb")


def test_ours(tmp_path: Path) -> None:
    """The service's own env.py calls it once, and so does the plainest one."""
    assert calls_once(ROOT / "alembic" / "env.py")
    assert once(tmp_path, FOREIGN_ENV)


ONCE = {
    "in a function": "def run():\n    context.run_migrations()\nrun()",
    "passed on": "def run(connection): context.run_migrations()\nconnection.run_sync(run)",
    "by its name": "from alembic.context import run_migrations\nrun_migrations()",
    "if and else": "if a: context.run_migrations()\nelif b: context.run_migrations()",
    "in a try": "try:\n    context.run_migrations()\nfinally:\n    pass",
    "beside a loop": "for a in b: print(a)\ncontext.run_migrations()",
    "a function that nothing calls": "def a(): context.run_migrations()\ncontext.run_migrations()",
}


@pytest.mark.parametrize("text", ONCE.values(), ids=ONCE.keys())
def test_once(tmp_path: Path, text: str) -> None:
    """What runs is counted, wherever it stands."""
    assert once(tmp_path, text)


OFTEN = {
    "one after the other": "context.run_migrations()\ncontext.run_migrations()",
    "a loop": "for schema in schemas:\n    context.run_migrations()",
    "a loop around a function": "def run(): context.run_migrations()\nwhile a: run()",
    "an asynchronous loop": (
        "async def main():\n    async for a in b: context.run_migrations()\nasyncio.run(main())"
    ),
    "a comprehension": "[context.run_migrations() for a in b]",
    "a function called twice": "def run(a): context.run_migrations()\nrun(1)\nrun(2)",
    "a function that calls itself": "def run(a):\n    context.run_migrations()\n    run(a)\nrun(1)",
    "if, and then once more": "if a: context.run_migrations()\ncontext.run_migrations()",
    "a map": "def run(a): context.run_migrations()\nlist(map(run, schemas))",
    "another name for it": "go = context.run_migrations\ngo()\ngo()",
    "a function that calls its argument": (
        "def twice(f): f(); f()\ndef run(): context.run_migrations()\ntwice(run)"
    ),
}

UNKNOWN = {
    "in another module": "from theirs import run\nrun()",
    "in a class": "class A:\n    def run(self): context.run_migrations()\nA().run()",
    "by another name": 'getattr(context, "run_" + "migrations")()',
}


@pytest.mark.parametrize("text", [*OFTEN.values(), *UNKNOWN.values()], ids=[*OFTEN, *UNKNOWN])
def test_not_once(tmp_path: Path, text: str) -> None:
    """More than one call counts like a call that cannot be seen."""
    assert not once(tmp_path, text)


def test_several_databases() -> None:
    """Alembic's template for several databases has a loop."""
    assert not calls_once(TEMPLATES / "multidb" / "env.py")


def test_no_text(tmp_path: Path) -> None:
    """An env.py in compiled form alone does not tell."""
    assert not calls_once(tmp_path / "env.py")


def test_functions_that_call_each_other(tmp_path: Path) -> None:
    """A long chain of calls is counted in one pass."""
    chain = [f"def f{n}(): f{n + 1}(); f{n + 1}()" for n in range(60)]
    assert not once(tmp_path, "\n".join([*chain, "def f60(): context.run_migrations()", "f0()"]))
