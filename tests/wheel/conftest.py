"""The wheel, built once, and new environments with the wheel and the locked dependencies."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
SECONDS = 300


class Environment:
    """A virtual environment of this interpreter with the wheel and nothing from the checkout."""

    def __init__(self, folder: Path, wheel: Path, extras: str = "") -> None:
        self.bin = folder / "bin"
        _succeed(UV, "venv", "--quiet", "--python", sys.executable, folder)
        locked = f"--constraint={ROOT / 'requirements.lock'}", "--no-verify-hashes"
        package = f"diffsync-store{extras} @ {wheel.as_uri()}"
        _succeed(UV, "pip", "install", "--quiet", "--python", self.python, *locked, package)

    @property
    def python(self) -> Path:
        return self.bin / "python"

    def run(self, command: str, *words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, outside of the checkout."""
        environment = self.variables | variables
        return subprocess.run(
            [self.bin / command, *words],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )

    @property
    def variables(self) -> dict[str, str]:
        """Return this process's variables, without those for Python and Prefect."""
        return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PREFECT_"))}


def _succeed(*command: str | Path) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _succeed(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder)
    [file] = folder.glob("*.whl")
    return file
