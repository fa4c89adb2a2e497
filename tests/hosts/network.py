"""Hosts with their own addresses on one machine: network namespaces, connected by a switch in another namespace.

Nothing is created outside of the namespaces: each cable has its ends in two namespaces, and is removed with them.
"""

import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from tests.servers import MissingPart, wait_until

SECONDS = 20.0
CLONE_NEWNET = 0x40000000
NAMESPACES = Path("/run/netns")


class NotAllowed(RuntimeError):
    """This process must not create network namespaces; no package can change that."""


class Host:
    """A namespace with a loopback, and one cable to the switch."""

    def __init__(self, name: str, namespace: str, switch: str, address: str) -> None:
        self.name = name
        self.address = address
        self._namespace = namespace
        self._switch = switch

    def command(self, command: Sequence[str | Path]) -> list[str | Path]:
        """Return the command to run on this host."""
        return ["ip", "netns", "exec", self._namespace, *command]

    def cut_off(self) -> None:
        """Drop all traffic silently, as if the cable were unplugged at the switch."""
        _ip("-n", self._switch, "link", "set", self.name, "down")

    def join(self) -> None:
        _ip("-n", self._switch, "link", "set", self.name, "up")

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Open the sockets of this thread in the body on this host."""
        with Path("/proc/thread-self/ns/net").open("rb") as home:
            _enter(NAMESPACES / self._namespace)
            try:
                yield
            finally:
                _set_namespace(home.fileno())


class Network:
    """Hosts that reach only each other; `with` removes them and ends their processes."""

    def __init__(self) -> None:
        self._prefix = f"diffsync-{os.getpid()}"
        self._namespaces: list[str] = []
        self._switch = ""

    def __enter__(self) -> Self:
        if shutil.which("ip") is None:
            raise MissingPart("ip", "apt-get install iproute2")
        try:
            self._switch = self._new_namespace("switch")
            _ip("-n", self._switch, "link", "add", "bridge", "type", "bridge")
            _ip("-n", self._switch, "link", "set", "bridge", "up")
        except RuntimeError as error:
            self.__exit__()
            raise NotAllowed(str(error)) from None
        return self

    def __exit__(self, *_: object) -> None:
        for namespace in reversed(self._namespaces):
            _end_processes(namespace)
            with suppress(RuntimeError):
                _ip("netns", "delete", namespace)
        self._namespaces.clear()

    def host(self, name: str) -> Host:
        """Add a host to the switch."""
        namespace = self._new_namespace(name)
        host = Host(name, namespace, self._switch, f"10.91.0.{len(self._namespaces)}")
        _ip("link", "add", "eth0", "netns", namespace, "type", "veth", "peer", "name", name, "netns", self._switch)
        _ip("-n", self._switch, "link", "set", name, "master", "bridge", "up")
        _ip("-n", namespace, "address", "add", f"{host.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", namespace, "link", "set", device, "up")
        return host

    def _new_namespace(self, name: str) -> str:
        namespace = f"{self._prefix}-{name}"
        _ip("netns", "add", namespace)
        self._namespaces.append(namespace)
        return namespace


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False, timeout=SECONDS)
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def _end_processes(namespace: str) -> None:
    """End all processes in a namespace of this network: they all belong to the test."""

    def running() -> list[int]:
        return [int(pid) for pid in _ip("netns", "pids", namespace).split()]

    def are_gone() -> bool:
        found = running()
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not found

    wait_until(are_gone, SECONDS, f"no process is left in {namespace}")


def _enter(namespace: Path) -> None:
    with namespace.open("rb") as there:
        _set_namespace(there.fileno())


def _set_namespace(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot change the network namespace")
