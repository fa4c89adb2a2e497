"""Write the lock files, or check offline that they match their requirements.

The first line of a lock has a digest of its requirements, so that `check` finds a forgotten `make lock` without a package
index. A lock does not name an index: each machine configures its own.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
OPTIONS = (
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-header",
    "--quiet",
)
ADAPTERS = ("files", "sql", "rest", "netbox", "nautobot", "powerdns")
"""The extras of the ready adapters; Parquet, which needs large packages, is not in the image."""
IMAGE_EXTRAS = tuple(f"--extra={name}" for name in ("redis", *ADAPTERS, "flows", "serve", "server"))


def requirements_of_pyproject() -> str:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    project = document["project"]
    return json.dumps(
        [
            document["build-system"]["requires"],
            project["requires-python"],
            project["dependencies"],
            project["optional-dependencies"],
            document["dependency-groups"],
        ],
        sort_keys=True,
    )


def requirements_of_bench() -> str:
    return (ROOT / "benchmarks/diffsync.in").read_text("utf-8")


def requirements_of_nautobot() -> str:
    return (ROOT / "tests/targets/nautobot.in").read_text("utf-8")


def requirements_of_image() -> str:
    """The image has the versions that the tests use, so its lock depends on theirs."""
    return requirements_of_pyproject() + (ROOT / "requirements.lock").read_text("utf-8")


@dataclass(frozen=True)
class Lock:
    path: str
    sources: tuple[str, ...]
    requirements: Callable[[], str]

    @property
    def heading(self) -> str:
        digest = hashlib.sha256("\n".join((self.requirements(), *OPTIONS)).encode()).hexdigest()
        return f"# made by `make lock` from requirements with the digest {digest}"

    def write(self, *more: str) -> None:
        file = ROOT / self.path
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "pip", "compile", *self.sources, *OPTIONS, *more, "-o", self.path], cwd=ROOT, check=True)
        file.write_text(f"{self.heading}\n{without_heading(file.read_text('utf-8'))}", "utf-8")

    def errors(self) -> list[str]:
        text = (ROOT / self.path).read_text("utf-8")
        errors = []
        if text.partition("\n")[0] != self.heading:
            errors.append(f"{self.path} does not match the requirements. Run `make lock`.")
        if "://" in text:
            errors.append(f"{self.path} names a host")
        errors += [f"{self.path}: {name} has no hash" for name, rest in pinned(text) if "--hash=sha256:" not in rest]
        return errors


LOCKS = (
    Lock("requirements.lock", ("pyproject.toml", "--all-extras", "--group=dev"), requirements_of_pyproject),
    Lock(
        "docker/requirements.lock",
        ("pyproject.toml", *IMAGE_EXTRAS, "--constraints=requirements.lock"),
        requirements_of_image,
    ),
    Lock("benchmarks/diffsync.lock", ("benchmarks/diffsync.in",), requirements_of_bench),
    Lock("tests/targets/nautobot.lock", ("tests/targets/nautobot.in",), requirements_of_nautobot),
)


def without_heading(text: str) -> str:
    return re.sub(r"\A# made by .*\n", "", text)


def pinned(text: str) -> list[tuple[str, str]]:
    """Return each pinned package of a lock, with the text after it."""
    parts = re.split(r"^([a-z0-9._-]+==\S+)", text, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("write", "check"))
    parser.add_argument("--upgrade", action="store_true", help="also upgrade to new releases")
    arguments = parser.parse_args()
    if arguments.action == "write":
        for lock in LOCKS:
            lock.write(*(["--upgrade"] if arguments.upgrade else []))
    sys.exit("\n".join(error for lock in LOCKS for error in lock.errors()) or None)


if __name__ == "__main__":
    main()
