"""A folder of files: nothing outside of it is read or written, and a file is replaced as a whole."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from uuid import uuid4

_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{32}\.unfinished")


class OutsideOfFolder(ValueError):
    """A name leads out of the folder."""


class Folder:
    """A folder. Threads may share it.

    Args:
        path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def find(self, pattern: str) -> list[Path]:
        """Return the files that fit a pattern, in order.

        Raises:
            OutsideOfFolder: the pattern leads out of the folder.
        """
        _require_inside(pattern)
        found = sorted(path for path in self.path.glob(pattern) if path.is_file())
        return [path for path in found if not _UNFINISHED.fullmatch(path.name)]

    def file(self, name: str) -> Path:
        """Return the path of a file.

        Raises:
            OutsideOfFolder: it is not in the folder.
        """
        _require_inside(name)
        path = self.path / name
        self.require_inside(path)
        return path

    def require_inside(self, path: Path) -> None:
        """Follow symbolic links.

        Raises:
            OutsideOfFolder: they lead out of the folder.
        """
        if not path.resolve().is_relative_to(self.path.resolve()):
            raise OutsideOfFolder(
                f"{self.name_of(path)} leads out of the folder by a symbolic link. Replace the link with the file."
            )

    def name_of(self, path: Path) -> str:
        """Return the name of a file below the folder, with `/`."""
        return path.relative_to(self.path).as_posix()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Lock the folder, so that one thread or process at a time changes its files; on a shared file system also across hosts.

        Readers do not wait. If the file system has no locks, the folder is changed without one.
        """
        with ExitStack() as stack:
            with suppress(OSError):  # also if the folder cannot be made: then the write fails, and says why
                self.path.mkdir(parents=True, exist_ok=True)
                handle = os.open(self.path, os.O_RDONLY)
                stack.callback(os.close, handle)
                fcntl.flock(handle, fcntl.LOCK_EX)
                stack.callback(fcntl.flock, handle, fcntl.LOCK_UN)  # a forked process may have the handle too
            yield

    def write(self, path: Path, data: bytes) -> None:
        """Replace the content of a file in one step: at any moment the whole old or the whole new content is there.

        Raises:
            OSError: it cannot be written; the old content is there.
        """
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{uuid4().hex}.unfinished")
        mode = path.stat().st_mode & 0o7777 if path.exists() else None
        try:
            with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if mode is not None:
                unfinished.chmod(mode)
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        _keep_name(path.parent)

    def remove(self, path: Path) -> None:
        """Remove a file; one that is gone already is no error."""
        path.unlink(missing_ok=True)
        _keep_name(path.parent)


def fits(name: str, pattern: str) -> bool:
    """Return whether `find` would find a file by a pattern, if it were there.

    Args:
        name: of the file, below the folder.
        pattern: the pattern.
    """
    return _fit(PurePosixPath(name).parts, PurePosixPath(pattern).parts)


def _fit(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    first, *rest = pattern
    if first == "**":  # any number of folders
        return any(_fit(parts[number:], rest) for number in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], first) and _fit(parts[1:], rest)


def _keep_name(folder: Path) -> None:
    """Write the names in a folder to the disk, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _require_inside(name: str) -> None:
    if PurePosixPath(name).is_absolute() or Path(name).is_absolute() or ".." in re.split(r"[/\\]", name):
        raise OutsideOfFolder(f"{name!r} is outside of the folder. Name files below the folder of the settings.")
