"""Run an embedded server for as long as a process uses it.

The file is run as a program, by `python -I -S keeper.py FOLDER COMMAND...`, and imports only the standard library, so that it
starts quickly. Each process that uses the server holds a shared lock on `users.lock`. The kernel releases the lock when the
process ends, however it ends. The keeper waits for the exclusive lock, and then stops the server.
"""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

USERS = "users.lock"
SERVER = "server.lock"
"""Locked by the server process, so that no second server opens the same data."""
_PR_SET_PDEATHSIG = 1


def keep(folder: Path, command: list[str]) -> None:
    """Start the server, and stop it when nobody uses it."""
    server_lock = os.open(folder / SERVER, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(server_lock, fcntl.LOCK_EX)
    server = subprocess.Popen(command, pass_fds=[server_lock], preexec_fn=_end_with_parent)  # noqa: PLW1509, S603
    threading.Thread(target=_end_with_server, args=(server,), daemon=True).start()
    users_lock = os.open(folder / USERS, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(users_lock, fcntl.LOCK_EX)
    server.terminate()
    server.wait()


def _end_with_parent() -> None:
    """Let the kernel stop the server if the keeper is killed; only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _end_with_server(server: "subprocess.Popen[bytes]") -> None:
    os._exit(server.wait())


if __name__ == "__main__":
    if os.fork():  # the process that started this one does not wait for it
        os._exit(0)
    os.umask(0o077)  # the data may have secrets
    keep(Path(sys.argv[1]), sys.argv[2:])
