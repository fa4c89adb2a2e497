"""Redis as a cluster, and Redis with a replica and a Sentinel."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from airports.demo.ports import free_port
from tests.certificates import Certificates
from tests.servers import RedisServer, Server, wait_until

SLOTS = 16384


class ClusterNode(RedisServer):
    def __init__(self, kind: str, tls: Certificates | None = None) -> None:
        self.bus_port = 0
        super().__init__(kind, "--cluster-enabled", "yes", "--cluster-node-timeout", "15000", tls=tls)

    def new_port(self) -> int:
        """Return a port. Redis 6.2 always uses the port 10,000 above it for the cluster bus, so that one must exist."""
        while True:
            port = free_port()
            self.bus_port = port + 10_000 if self.kind == "redis-6.2" else free_port()
            if self.bus_port < 2**16:
                return port

    def command(self) -> Sequence[str | Path]:
        bus = [] if self.kind == "redis-6.2" else ["--cluster-port", str(self.bus_port)]
        return [*super().command(), *bus]

    def run(self, *command: str | int) -> Any:
        with self.client() as client:
            execute: Callable[..., Any] = client.execute_command
            return execute(*command)


class Group:
    """Servers that are started and stopped together."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, stack: ExitStack) -> None:
        raise NotImplementedError


class RedisClusterServers(Group):
    """Three masters that share the slots."""

    def __init__(self, kind: str = "valkey", *, tls: Certificates | None = None) -> None:
        self.nodes = [ClusterNode(kind, tls) for _ in range(3)]
        self.scheme = "rediss+cluster" if tls else "redis+cluster"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.nodes[0].port}"

    def client(self, **options: Any) -> redis.RedisCluster:
        return redis.RedisCluster(host="127.0.0.1", port=self.nodes[0].port, **options)

    def holder(self, slot: int) -> ClusterNode:
        """Return the node of a slot."""
        return next(node for node in self.nodes if node.run("CLUSTER COUNTKEYSINSLOT", slot))

    def _start(self, stack: ExitStack) -> None:
        share = SLOTS // len(self.nodes) + 1
        for number, node in enumerate(self.nodes):
            stack.enter_context(node)
            node.run("CLUSTER SET-CONFIG-EPOCH", number + 1)
            node.run("CLUSTER ADDSLOTS", *range(number * share, min(SLOTS, (number + 1) * share)))
        for node in self.nodes:
            for other in self.nodes:
                node.run("CLUSTER MEET", "127.0.0.1", other.port, other.bus_port)
        self.wait_until_whole()

    def wait_until_whole(self) -> None:
        wait_until(self.is_whole, 100, "each node reports a complete cluster")

    def is_whole(self) -> bool:
        infos = [node.run("CLUSTER INFO") for node in self.nodes]
        return all(info["cluster_state"] == "ok" and info["cluster_size"] == str(len(self.nodes)) for info in infos)


class Sentinel(Server):
    """Watches one master, by the name of `service`; it alone decides on a failover."""

    def __init__(self, master: RedisServer, service: str, password: str) -> None:
        super().__init__()
        self.master = master
        self.service = service
        self.password = password

    def prepare(self) -> None:
        tls = self.master.tls.of_redis() if self.master.tls else {}
        lines = [
            *(("port 0", f"tls-port {self.port}") if tls else (f"port {self.port}",)),
            *(f"{name} {value}" for name, value in tls.items()),
            "bind 127.0.0.1",
            f"dir {self.directory}",
            f"requirepass {self.password}",
            f"sentinel monitor {self.service} 127.0.0.1 {self.master.port} 1",
            f"sentinel auth-pass {self.service} {self.master.password}",
            f"sentinel down-after-milliseconds {self.service} 30000",
            f"sentinel failover-timeout {self.service} 3000",
        ]
        (self.directory / "sentinel.conf").write_text("\n".join(lines))

    def command(self) -> Sequence[str | Path]:
        return [self.master.binary, self.directory / "sentinel.conf", "--sentinel"]

    def client(self) -> redis.Redis:
        return redis.Redis(
            port=self.port,
            password=self.password,
            socket_timeout=1,
            retry=Retry(NoBackoff(), 0),
            **tls_options(self.master.tls),
        )

    def is_ready(self) -> bool:
        try:
            with self.client() as client:
                replicas: Any = client.sentinel_slaves(self.service)
        except (redis.ConnectionError, redis.TimeoutError):
            return False
        return any(replica.get("master-link-status") == "ok" for replica in replicas)


def tls_options(certificates: Certificates | None) -> dict[str, Any]:
    return {"ssl": True, **certificates.certificate("client")} if certificates else {}


class SentinelServers(Group):
    """A master, its replica, and a Sentinel that promotes the replica."""

    service = "stores"

    def __init__(
        self, kind: str = "valkey", *, password: str, sentinel_password: str, tls: Certificates | None = None
    ) -> None:
        auth = ("--masterauth", password, "--repl-diskless-sync-delay", "0")
        self.master = RedisServer(kind, *auth, password=password, tls=tls)
        self.replica = RedisServer(kind, *auth, password=password, tls=tls)
        self.sentinel = Sentinel(self.master, self.service, sentinel_password)

    @property
    def url(self) -> str:
        password, own = (quote(each, safe="") for each in (self.master.password, self.sentinel.password))
        scheme = "rediss+sentinel" if self.master.tls else "redis+sentinel"
        return f"{scheme}://:{password}@{self.hosts}/{self.service}/0?sentinel_password={own}"

    @property
    def hosts(self) -> str:
        """Two addresses: nothing listens at the first, the second is the Sentinel."""
        return f"127.0.0.1:{free_port()},127.0.0.1:{self.sentinel.port}"

    def _start(self, stack: ExitStack) -> None:
        stack.enter_context(self.master)
        stack.enter_context(self.replica)
        with self.replica.client() as client:
            client.replicaof("127.0.0.1", str(self.master.port))
            wait_until(lambda: client.info("replication")["master_link_status"] == "up", 100, "the replica is in sync")
        stack.enter_context(self.sentinel)
        # A Sentinel that was paused does nothing for 30 seconds; Redis 6.2 has no command to change that.
        with suppress(redis.ResponseError):
            self._ask("SENTINEL", "DEBUG", "tilt-trigger", 600_000)

    def fail_over(self) -> None:
        """Kill the master, and wait until the Sentinel has promoted the replica."""
        self.master.kill()
        self._ask("SENTINEL", "SET", self.service, "down-after-milliseconds", 300)
        wait_until(self._is_promoted, 100, "the replica is the master")
        wait_until(lambda: self._named() == self.replica.port, 100, "the Sentinel names it")

    def _is_promoted(self) -> bool:
        with self.replica.client() as replica:
            try:
                return bool(replica.info("replication")["role"] == "master")
            except redis.ConnectionError:  # a server that is promoted ends its clients' connections
                return False

    def _named(self) -> int:
        return int(self._ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service)[1])

    def _ask(self, *command: str | int) -> Any:
        with self.sentinel.client() as client:
            execute: Callable[..., Any] = client.execute_command
            return execute(*command)
