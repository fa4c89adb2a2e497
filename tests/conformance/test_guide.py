"""The code of the guide to write an adapter: its suite passes, and its files are valid."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/writing-an-adapter.md").read_text("utf-8")
BLOCKS = dict(re.findall(r'^```\w+ title="([^"]+)"\n(.*?)^```$', GUIDE, re.MULTILINE | re.DOTALL))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in BLOCKS.items():
        (tmp_path / name).write_text(content, "utf-8")
    return tmp_path


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider", "--tb=line", "-q", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.slow
def test_the_adapters_of_the_guide_pass_the_suite(folder: Path) -> None:
    done = run(folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert int(re.findall(r"(\d+) passed", done.stdout)[0]) > 150


def test_a_fault_in_the_adapter_of_the_guide_is_noticed(folder: Path) -> None:
    adapter = folder / "phonebook_adapter.py"
    adapter.write_text(adapter.read_text("utf-8").replace("return refused(str(error))", "return None"), "utf-8")
    done = run(folder, "test_phonebook.py", "-k", "test_one_bad_create_in_a_batch")
    assert done.returncode == 1
    assert "3 failed" in done.stdout
    assert "The sync lists [], not ['person" in done.stdout
