"""The network of test_hosts separates hosts, can be cut, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.hosts.network import NAMESPACES, Host, Network
from tests.servers import wait_until


def answers(host: Host, port: int, seconds: float = 1.0) -> bool:
    try:
        with socket.create_connection((host.address, port), seconds):
            return True
    except OSError:
        return False


def listening(host: Host) -> socket.socket:
    with host.entered():
        return socket.create_server((host.address, 0))


def test_a_host_that_is_cut_off_is_unreachable_until_it_joins_again(network: Network) -> None:
    with network:
        one, other = network.host("one"), network.host("other")
        with listening(one) as listener:
            port = listener.getsockname()[1]
            with other.entered():
                wait_until(lambda: answers(one, port))
                one.cut_off()
                assert not answers(one, port)
                one.join()
                wait_until(lambda: answers(one, port), 240)


def test_no_interface_and_no_process_is_left_after_a_failure(network: Network) -> None:
    before = links()
    processes: list[subprocess.Popen[bytes]] = []

    def fail_in_the_middle() -> None:
        with network:
            processes.append(subprocess.Popen(network.host("one").command(["sleep", "600"])))
            assert (NAMESPACES / f"diffsync-{os.getpid()}-one").exists()
            assert links() == before
            wait_until(partial(is_asleep, processes[0].pid))  # in the host, not while entering it
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_in_the_middle()
    assert processes[0].wait(100) == -signal.SIGKILL
    assert not list(NAMESPACES.glob(f"diffsync-{os.getpid()}-*"))
    assert links() == before


def is_asleep(process: int) -> bool:
    return Path(f"/proc/{process}/comm").read_text("utf-8") == "sleep\n"


def links() -> list[str]:
    return sorted(path.name for path in Path("/sys/class/net").iterdir())
