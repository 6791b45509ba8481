"""An application that cannot be imported: a sentence says where and why, before a worker starts."""

from pathlib import Path

import pytest

from alembic_boot.errors import ServingFailedError
from alembic_boot.serving.server import Config
from alembic_boot.serving.single_process import load
from tests.scenarios.process import matches


@pytest.mark.parametrize(
    ("name", "code", "cause"),
    [
        ("no_such_module:app", "", "…no_such_module…."),
        ("planted_a:app", "", "…app…."),
        ("planted_b", "", "…."),
        ("planted_c:app", "def app(:", "planted_c.py, line 1: invalid syntax."),
        ("planted_d:app", "raise RuntimeError('no')", "planted_d.py, line 1: RuntimeError: no."),
        ("planted_e:app", "raise SystemExit(0)", "planted_e.py, line 1: SystemExit: 0."),
    ],
    ids=["no module", "no attribute", "no colon", "syntax error", "raises", "exits"],
)
def test_what_cannot_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str, cause: str
) -> None:
    """It is the same whether this process serves or starts workers: it loads the application."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    if name.startswith("planted"):
        (tmp_path / f"{name.partition(':')[0]}.py").write_text(code)
    with pytest.raises(ServingFailedError) as failure:
        load(Config(name, log_config=None))
    assert failure.value.exit_status == 11
    sentence = f"The application {name} cannot be loaded: {cause} Fix it, or name another in …"
    assert matches(str(failure.value), sentence), str(failure.value)
