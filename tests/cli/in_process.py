"""A project over the Redis of the tests, whose commands run in this process."""

from __future__ import annotations

import subprocess
from pathlib import Path

from typer.testing import CliRunner

from diffsync_store.cli.commands import app
from tests.cli.conftest import CommandLine, make_project


class InProcess(CommandLine):
    """Runs its commands in this process."""

    def run(self, *words: str, code: int = 0, answer: str | None = None) -> subprocess.CompletedProcess[str]:
        done = CliRunner().invoke(app, [*words, "--file", str(self.folder / "syncs.yaml")], input=answer)
        assert done.exit_code == code, done.output
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    def plan(self) -> str:
        """Save a new diff; return its id."""
        return diff_id_in(self.run("plan", "inventory", "--out").stdout)


def in_process(folder: Path, redis_url: str, keys: str, more: str = "") -> InProcess:
    """Return a project whose sync has these keys, and whose file has more lines."""
    made = InProcess(make_project(folder, **{"target: database": f"target: database, {keys}"}).folder)
    file = folder / "syncs.yaml"
    head = f"project: {folder.name}\nstore: {{url: '{redis_url}'}}\n"
    file.write_text(head + more + file.read_text("utf-8"), "utf-8")
    return made


def diff_id_in(output: str) -> str:
    """Return the id in the last line of the output of `plan` or `undo`."""
    return output.splitlines()[-1].removeprefix("diff_id: ")
