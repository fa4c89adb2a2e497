"""Prefect on several hosts: the server on one, each worker on a given host."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from airports.demo.child import Child
from airports.demo.prefect_stack import START_SECONDS, PrefectStack
from tests.hosts.network import Host
from tests.servers import RedisServer

PORT = 4200


class HostedRedis(RedisServer):
    """Valkey on a host, with a password; clients must be in the network."""

    def __init__(self, host: Host, password: str) -> None:
        super().__init__("valkey", "--bind", host.address, password=password)
        self.host = host

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{self.host.address}:{self.port}/0"

    def command(self) -> Sequence[str | Path]:
        return self.host.command([str(word) for word in super().command()])


class HostedPrefect(PrefectStack):
    """A server and workers by name; each has its own folder."""

    def __init__(self, server: Host, folder: Path, variables: Mapping[str, Mapping[str, str]]) -> None:
        self.host = server
        super().__init__(folder, variables)

    @property
    def address(self) -> str:
        return f"http://{self.host.address}:{PORT}"

    def start_server(self) -> Child:
        return self._start_on(self.host, "server", ["server", "start", "--host", "0.0.0.0", "--port", str(PORT)])

    def start_worker_on(self, host: Host, pool: str) -> Child:
        command = [
            "worker",
            "start",
            "--pool",
            f"diffsync-{pool}",
            "--type",
            "process",
            "--name",
            f"{pool}-{host.name}",
        ]
        worker = self._start_on(host, f"{pool}-{host.name}", command, self.variables[pool])
        self.workers[f"{pool}-{host.name}"] = worker
        return worker

    def is_online(self, pool: str, worker: str) -> bool:
        if not self.answers(f"/work_pools/diffsync-{pool}"):
            return False
        found = self.post(f"/work_pools/diffsync-{pool}/workers/filter")
        return any(each["name"] == worker and each["status"] == "ONLINE" for each in found)

    def _start_on(
        self, host: Host, name: str, command: Sequence[str], variables: Mapping[str, str] | None = None
    ) -> Child:
        home = self.folder / host.name
        home.mkdir(exist_ok=True)
        environment = self.environment | {"PREFECT_HOME": str(home), **(variables or {})}
        log = self.folder / f"{name}.log"
        words = [str(self.python), "-m", "prefect", *command]
        return Child(name, host.command(words), log=log, environment=environment, cwd=home)


@contextmanager
def hosted_prefect(
    server: Host, workers: Mapping[str, Host], folder: Path, variables: Mapping[str, Mapping[str, str]]
) -> Iterator[HostedPrefect]:
    """Start everything and deploy; `workers` maps each work pool to a host."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as running:
        stack = HostedPrefect(server, folder, variables)
        running.callback(stack.api.close)
        started = running.enter_context(stack.start_server())
        started.wait_until(lambda: stack.answers("/health"), START_SECONDS)
        running.callback(stack.stop_workers)
        for pool, host in workers.items():
            stack.start_worker_on(host, pool)
        for pool, host in workers.items():
            name = f"{pool}-{host.name}"
            stack.workers[name].wait_until(partial(stack.is_online, pool, name), START_SECONDS)
        stack.deploy()
        yield stack
