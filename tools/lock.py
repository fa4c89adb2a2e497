"""Write the lock files, or check offline that they are made from what asks for them.

A lock's first line holds a digest of the requirements that it was made from, so that a forgotten `make lock` shows
without asking a package index. No index is named in a lock: where packages come from is the machine's own matter.
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
IMAGE_EXTRAS = ("--extra=redis", "--extra=sql", "--extra=flows", "--extra=server")


def asked_by_pyproject() -> str:
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


def asked_by_bench() -> str:
    return (ROOT / "benchmarks/diffsync.in").read_text("utf-8")


def asked_by_image() -> str:
    """The image has the versions that the tests ran with, so its lock follows theirs."""
    return asked_by_pyproject() + (ROOT / "requirements.lock").read_text("utf-8")


@dataclass(frozen=True)
class Lock:
    path: str
    sources: tuple[str, ...]
    asked: Callable[[], str]

    @property
    def heading(self) -> str:
        digest = hashlib.sha256("\n".join((self.asked(), *OPTIONS)).encode()).hexdigest()
        return f"# made by `make lock` from requirements with the digest {digest}"

    def write(self, *more: str) -> None:
        file = ROOT / self.path
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "pip", "compile", *self.sources, *OPTIONS, *more, "-o", self.path], cwd=ROOT, check=True)
        file.write_text(f"{self.heading}\n{without_heading(file.read_text('utf-8'))}", "utf-8")

    def faults(self) -> list[str]:
        text = (ROOT / self.path).read_text("utf-8")
        faults = []
        if text.partition("\n")[0] != self.heading:
            faults.append(f"{self.path} is not made from the present requirements: run `make lock`")
        if "://" in text:
            faults.append(f"{self.path} names a host")
        faults += [f"{self.path}: {name} has no hash" for name, rest in pinned(text) if "--hash=sha256:" not in rest]
        return faults


LOCKS = (
    Lock("requirements.lock", ("pyproject.toml", "--all-extras", "--group=dev"), asked_by_pyproject),
    Lock(
        "docker/requirements.lock", ("pyproject.toml", *IMAGE_EXTRAS, "--constraints=requirements.lock"), asked_by_image
    ),
    Lock("benchmarks/diffsync.lock", ("benchmarks/diffsync.in",), asked_by_bench),
)


def without_heading(text: str) -> str:
    return re.sub(r"\A# made by .*\n", "", text)


def pinned(text: str) -> list[tuple[str, str]]:
    """Each pinned package of a lock with the text that belongs to it."""
    parts = re.split(r"^([a-z0-9._-]+==\S+)", text, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("write", "check"))
    parser.add_argument("--upgrade", action="store_true", help="take new releases too")
    arguments = parser.parse_args()
    if arguments.action == "write":
        for lock in LOCKS:
            lock.write(*(["--upgrade"] if arguments.upgrade else []))
    sys.exit("\n".join(fault for lock in LOCKS for fault in lock.faults()) or None)


if __name__ == "__main__":
    main()
