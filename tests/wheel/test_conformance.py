"""The conformance suite in an environment that has the wheel and pytest, and nothing of the checkout."""

from pathlib import Path

import pytest

from tests.conformance.test_guide import BLOCKS
from tests.wheel.conftest import Environment


@pytest.mark.slow
def test_the_suite_runs_with_plain_pytest(wheel: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path / "venv", wheel, "[mapping,testing]")
    folder = tmp_path / "project"
    folder.mkdir()
    for name, content in BLOCKS.items():
        (folder / name).write_text(content, "utf-8")
    done = environment.run("pytest", "-q", "-rs", "--tb=line", "-k", "load or batch or text", cwd=folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "does not provide `fail_next`" in done.stdout
