"""Run the fast tests on several Python versions, each in an environment of its own with the locked packages.

A version that this machine does not have is skipped, and the last lines say so.

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
    """Yield where a Python of this version may be: on the path, then among pyenv's, the newest first."""
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
    """Return whether it starts: a shim of pyenv's stands on the path also for a version that is not chosen."""
    return subprocess.run([python, "-c", "import venv"], capture_output=True, check=False).returncode == 0


def find(version: str) -> str | None:
    return next(filter(runs, candidates(version)), None)


def environment(version: str, python: str) -> Path:
    """Return the interpreter of an environment with the locked packages and this project in it."""
    made = ENVIRONMENTS / version / "bin" / "python"
    if not made.exists():
        uv("venv", "--python", python, str(ENVIRONMENTS / version))
    uv("pip", "sync", "--python", str(made), "--require-hashes", "--compile-bytecode", "requirements.lock")
    uv("pip", "install", "--python", str(made), "--no-deps", "--no-build-isolation", "--editable", ".")
    return made


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
        print(f"!! SKIPPED: Python {version} is not on this machine, so nothing was tested on it", flush=True)
    for version in failed:
        print(f"!! FAILED on Python {version}", flush=True)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
