"""Run the fast tests on several Python versions, each in its own environment with the locked packages.

A version that is not installed is skipped; the last lines of the output list the skipped versions.

    python -m tools.interpreters 3.12 3.13 -- -k word
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ENVIRONMENTS = ROOT / "build" / "interpreters"


def candidates(version: str) -> Iterator[str]:
    """Yield the possible paths of a Python version: first those on PATH, then pyenv's, the newest first."""
    name = f"python{version}"
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        if found := shutil.which(name, path=folder):
            yield found
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    releases = sorted(
        pyenv.glob(f"versions/{version}.*/bin/{name}"), key=lambda path: int(path.parts[-3].split(".")[2])
    )
    yield from map(str, reversed(releases))


def runs(python: str) -> bool:
    """Return whether the interpreter starts. A pyenv shim is on PATH even if its version is not selected."""
    return subprocess.run([python, "-c", "import venv"], capture_output=True, check=False).returncode == 0


def find(version: str) -> str | None:
    return next(filter(runs, candidates(version)), None)


def environment(version: str, python: str) -> Path:
    """Create or update an environment with the locked packages and this project; return its interpreter."""
    interpreter = ENVIRONMENTS / version / "bin" / "python"
    if not interpreter.exists():
        uv("venv", "--python", python, str(ENVIRONMENTS / version))
    uv("pip", "sync", "--python", str(interpreter), "--require-hashes", "--compile-bytecode", "requirements.lock")
    uv("pip", "install", "--python", str(interpreter), "--no-deps", "--no-build-isolation", "--editable", ".")
    return interpreter


def uv(*words: str) -> None:
    subprocess.run([str(Path(sys.executable).with_name("uv")), "--quiet", *words], cwd=ROOT, check=True)


def main(words: list[str]) -> int:
    if "--" not in words:
        words = [*words, "--"]
    versions, arguments = words[: words.index("--")], words[words.index("--") + 1 :]
    missing, failed = [], []
    for version in versions:
        python = find(version)
        if python is None:
            missing.append(version)
            continue
        print(f"== Python {version}: {python}", flush=True)
        command = [str(environment(version, python)), "-m", "pytest", "--fast", *arguments]
        if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
            failed.append(version)
    for version in missing:
        print(f"!! SKIPPED: Python {version} is not installed", flush=True)
    for version in failed:
        print(f"!! FAILED on Python {version}", flush=True)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
