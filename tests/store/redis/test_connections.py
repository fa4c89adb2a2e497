"""The ways to reach Redis, each on a server of its kind, and what is said when it cannot be reached."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.sentinel import Sentinel

from airports.demo.ports import free_port
from diffsync_store import Agent, ObjectStoreException, StoredAdapter, StoreNotFound, StoreState
from diffsync_store.diffs import RedisDiffs
from diffsync_store.store.redis import RedisLeases, RedisStore, RedisStores
from diffsync_store.store.redis.connection import Connection
from diffsync_store.store.redis.connection import client as redis_client
from diffsync_store.store.redis.partitions import MOST, partition_of
from tests.certificates import Certificates
from tests.conftest import ROOT, SharedServers, demand
from tests.redis_servers import RedisClusterServers, SentinelServers
from tests.servers import RedisServer, wait_until
from tests.store.inventory import Device, content, flat

# The slashes and at signs are what a URL has to quote.
SECRET, SENTINEL_SECRET = "s3cret/p@55", "w@tch-pa55"
QUOTED, SENTINEL_QUOTED = "s3cret%2Fp%4055", "w%40tch-pa55"


@pytest.fixture
def cluster(shared_servers: SharedServers, redis_kind: str) -> RedisClusterServers:
    return shared_servers.get(f"cluster of {redis_kind}", lambda: RedisClusterServers(redis_kind))


@pytest.fixture
def sentinels(shared_servers: SharedServers, redis_kind: str) -> SentinelServers:
    return shared_servers.get(f"Sentinel of {redis_kind}", lambda: watched(redis_kind))


@pytest.fixture
def certificates(shared_servers: SharedServers) -> Certificates:
    return shared_servers.get("certificates", Certificates)


@pytest.fixture
def tls_server(shared_servers: SharedServers, certificates: Certificates) -> RedisServer:
    """The system's redis-server: the others have no TLS."""
    return shared_servers.get("TLS", lambda: RedisServer("redis", tls=certificates))


def watched(kind: str, tls: Certificates | None = None) -> SentinelServers:
    return SentinelServers(kind, password=SECRET, sentinel_password=SENTINEL_SECRET, tls=tls)


def check_whole_story(store_id: str, **where: Any) -> None:
    """Load, look, diff, save, open, sync and drop, each step with a connection of its own."""
    ids = f"{store_id}-source", f"{store_id}-target"

    def opened(number: int) -> RedisStore:
        return RedisStore(store_id=ids[number], **where)

    for number, names in enumerate(("abcd", "cdef")):
        with opened(number) as store, store.loading():
            for name in names:
                flat(store).add(Device(name=name, role=f"{name}{number if name == 'd' else ''}"))
    with opened(0) as source, opened(1) as target, closing(RedisDiffs(**where)) as diffs:
        assert source.record().counts == {"device": 4}
        assert [device.name for device in flat(source).get_all(Device)] == list("abcd")
        diff = StoredAdapter(target).diff_from(StoredAdapter(source))
        diff_id = diffs.save(diff, store_id, source=source.require_complete(), target=target.require_complete())
    with opened(0) as source, opened(1) as target, closing(RedisDiffs(**where)) as diffs:
        saved = diffs.open(diff_id)
        assert saved.record.summary == diff.summary()
        assert saved.apply(StoredAdapter(source), flat(target), agent=Agent()).is_complete
        assert saved.round() is not None
    with opened(0) as source, opened(1) as target, closing(RedisDiffs(**where)) as diffs:
        assert sorted(names_of(target)) == sorted(names_of(source))
        assert not StoredAdapter(target).diff_from(StoredAdapter(source)).has_diffs()
        with closing(RedisStores(**where)) as stores:
            assert set(ids) <= {record.store_id for record in stores.list()}
        assert diff_id in {record.diff_id for record in diffs.list()}
        target.remove(obj=flat(target).get(Device, "a"))
        diffs.open(diff_id).drop()
        source.drop()
        target.drop()
    with opened(0) as source, pytest.raises(StoreNotFound):
        source.record()


def names_of(store: RedisStore) -> list[str]:
    return [device["name"] for device in content(flat(store))["device"]]


def message_of(**where: Any) -> str:
    """What is said when no store can be opened; never with a secret in it."""
    with pytest.raises(ObjectStoreException) as raised:
        RedisStore(**where)
    shown = everything_of(raised.value)
    assert not [secret for secret in (SECRET, SENTINEL_SECRET, QUOTED, SENTINEL_QUOTED) if secret in shown]
    return str(raised.value)


def everything_of(error: BaseException | None) -> str:
    return "" if error is None else f"{error!r} {error} {everything_of(error.__cause__ or error.__context__)}"


# A cluster


@pytest.mark.slow
def test_a_cluster_is_reached_by_its_url(cluster: RedisClusterServers, store_id: str) -> None:
    check_whole_story(store_id, url=cluster.url)


@pytest.mark.slow
def test_stores_lie_on_different_nodes_of_a_cluster(cluster: RedisClusterServers, store_id: str) -> None:
    ids = [f"{store_id}-{number}" for number in range(12)]
    for each in ids:
        with RedisStore(url=cluster.url, store_id=each) as store, store.loading():
            flat(store).add(Device(name="a"))
    holders = {node.port for node in cluster.nodes if node.run("DBSIZE") > 0}
    assert len(holders) > 1
    for each in ids:
        with RedisStore(url=cluster.url, store_id=each) as store:
            assert names_of(store) == ["a"]
            store.drop()


def test_any_node_of_a_cluster_will_do_and_one_may_be_down(cluster: RedisClusterServers, store_id: str) -> None:
    url = f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{cluster.nodes[2].port}/0?socket_timeout=5"
    with RedisStore(url=url, store_id=store_id) as store:
        assert store.count() == 0


def test_a_client_of_a_cluster_is_used_and_not_closed(cluster: RedisClusterServers, store_id: str) -> None:
    with closing(redis.RedisCluster(host="127.0.0.1", port=cluster.nodes[1].port)) as client:
        check_whole_story(store_id, client=client)
        assert client.ping()


def test_a_node_of_a_cluster_as_a_plain_redis_is_said_to_be_one(cluster: RedisClusterServers) -> None:
    def open_one_on_another_node() -> None:
        for number in range(20):
            RedisStore(url=cluster.nodes[0].url, store_id=f"x{number}").close()

    with pytest.raises(ObjectStoreException, match="node of a cluster: use a URL that begins with redis"):
        open_one_on_another_node()


def test_a_plain_redis_is_said_to_be_no_cluster(redis_server: RedisServer) -> None:
    assert "not a cluster" in message_of(url=f"redis+cluster://127.0.0.1:{redis_server.port}")


def test_what_is_no_sentinel_no_master_and_no_database_is_said_to_be_none(
    redis_server: RedisServer, redis_kind: str
) -> None:
    address = f"127.0.0.1:{redis_server.port}"
    assert "is not a Sentinel" in message_of(url=f"redis+sentinel://{address}/mymaster")
    assert "no database of that number" in message_of(url=f"redis://{address}/99")
    with (
        RedisServer(redis_kind, "--replicaof", "127.0.0.1", str(redis_server.port)) as replica,
        closing(RedisLeases(url=replica.url)) as leases,
        pytest.raises(ObjectStoreException, match="is a replica"),
    ):
        leases.take("target", "sync")


@pytest.mark.slow
def test_a_cluster_has_one_database(cluster: RedisClusterServers) -> None:
    for where in ({"url": f"{cluster.url}/1"}, {"url": cluster.url, "db": 1}, {"url": f"{cluster.url}?db=1"}):
        assert "one database only" in message_of(**where)


def test_an_unknown_option_of_a_cluster_is_refused(cluster: RedisClusterServers) -> None:
    with pytest.raises(TypeError, match="no_such_option"):
        RedisStore(url=cluster.url, no_such_option=1)


def test_a_cluster_that_is_not_there_is_unavailable() -> None:
    url = f"redis+cluster://user:{QUOTED}@127.0.0.1:{free_port()}"
    assert message_of(url=url) == "Redis store is unavailable."


@pytest.mark.slow
def test_a_cluster_that_has_lost_a_node_is_unavailable_until_it_is_back(redis_kind: str, store_id: str) -> None:
    with (
        RedisClusterServers(redis_kind) as servers,
        RedisStore(url=servers.url, store_id=store_id) as store,
    ):
        # Its partition is the first one, as that of the record: it may be lost with the record.
        name = next(name for name in map(str, count()) if not partition_of(name, MOST))
        with store.loading():
            flat(store).add(Device(name=name))
        slot = servers.nodes[0].run("CLUSTER KEYSLOT", f"dss:{{{store_id}}}:record")
        holder = next(node for node in servers.nodes if node.run("CLUSTER COUNTKEYSINSLOT", slot))
        other = next(node for node in servers.nodes if node is not holder)
        holder.kill()
        assert not answers(store)
        for node in servers.nodes:
            if node is not holder:
                node.run("CONFIG", "SET", "cluster-node-timeout", 1000)
        wait_until(lambda: other.run("CLUSTER INFO")["cluster_state"] == "fail", 100, "the cluster is down")
        assert not answers(store)
        holder.start()
        wait_until(servers.is_whole, 100, "the cluster is whole again")
        for node in servers.nodes:  # else one that a busy machine lets wait is taken for dead
            node.run("CONFIG", "SET", "cluster-node-timeout", 15000)
        wait_until(servers.is_whole, 100, "the cluster is still whole")
        assert store.count() == 0


# Sentinel


@pytest.mark.slow
def test_a_master_is_found_by_its_sentinels(sentinels: SentinelServers, store_id: str) -> None:
    check_whole_story(store_id, url=sentinels.url)


def test_what_is_for_the_sentinels_may_be_given_beside_the_url(sentinels: SentinelServers, store_id: str) -> None:
    url = f"redis+sentinel://{sentinels.hosts}/{sentinels.service}"
    with RedisStore(
        url=url, store_id=store_id, password=SECRET, sentinel_kwargs={"password": SENTINEL_SECRET}, db=3
    ) as store:
        assert store.count() == 0


def test_a_client_of_a_sentinel_is_used_and_not_closed(sentinels: SentinelServers, store_id: str) -> None:
    address = ("127.0.0.1", sentinels.sentinel.port)
    make_sentinel: Callable[..., Any] = Sentinel
    sentinel = make_sentinel([address], sentinel_kwargs={"password": SENTINEL_SECRET})
    with closing(sentinel.sentinels[0]), closing(sentinel.master_for(sentinels.service, password=SECRET)) as client:
        check_whole_story(store_id, client=client)
        assert client.ping()


def test_whose_password_is_wrong_is_said(sentinels: SentinelServers) -> None:
    hosts, service = sentinels.hosts, sentinels.service
    own = f"sentinel_password={SENTINEL_QUOTED}"
    assert "check `username` and `password`" in message_of(url=f"redis+sentinel://:wrong@{hosts}/{service}?{own}")
    assert "A Sentinel refused" in message_of(url=f"redis+sentinel://:{QUOTED}@{hosts}/{service}")


def test_a_service_that_no_sentinel_knows_is_unavailable(sentinels: SentinelServers) -> None:
    url = f"redis+sentinel://:{QUOTED}@{sentinels.hosts}/no-such?sentinel_password={SENTINEL_QUOTED}"
    assert message_of(url=url) == "Redis store is unavailable."


@pytest.mark.parametrize("path", ["", "/", "/stores/one", "/stores/0/1"])
def test_a_sentinel_url_names_a_service(path: str) -> None:
    assert "redis+sentinel://host:port,host:port/service" in message_of(url=f"redis+sentinel://:{QUOTED}@host{path}")


@pytest.mark.slow
def test_an_open_store_goes_on_after_a_failover(redis_kind: str, store_id: str) -> None:
    with (
        demand(lambda: watched(redis_kind)) as servers,
        RedisStore(url=servers.url, store_id=store_id) as store,
        RedisStore(url=servers.url, store_id=f"{store_id}-2") as loaded,
    ):
        with store.loading():
            flat(store).add(Device(name="a"))
        loading = loaded.loading()
        loading.__enter__()
        flat(loaded).add(Device(name="a"))
        loaded.flush()
        with closing(servers.replica.client()) as replica:
            wait_until(lambda: replica.exists(f"dss:{{{loaded.store_id}}}:objects:device"), 100, "it is replicated")
        servers.fail_over()
        wait_until(lambda: answers(store), 100, "the replica has taken the master's place")
        assert names_of(store) == ["a"]
        flat(store).add(Device(name="b"))
        store.flush()
        assert names_of(RedisStore(url=servers.url, store_id=store_id)) == ["a", "b"]
        flat(loaded).add(Device(name="b"))
        with pytest.raises(ObjectStoreException, match=r"failed over to a replica.*Load it again"):
            loading.__exit__(None, None, None)
        assert loaded.record().state is StoreState.FAILED


def answers(store: RedisStore) -> bool:
    try:
        store.count()
        return True
    except ObjectStoreException as error:
        assert str(error) == "Redis store is unavailable."  # noqa: PT017  # until it is available
        return False


# TLS


def test_a_server_is_reached_with_a_client_certificate(
    tls_server: RedisServer, certificates: Certificates, store_id: str
) -> None:
    certificate = certificates.certificate("client")
    query = "&".join(f"{name}={value}" for name, value in certificate.items())
    check_whole_story(store_id, url=tls_server.url, **certificate)
    for where in (
        {"url": f"{tls_server.url}?{query}"},
        {"host": "localhost", "port": tls_server.port, "ssl": True, **certificate},
    ):
        with RedisStore(store_id=store_id, **where) as store:
            assert store.count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["", "stranger"])
def test_a_client_without_a_certificate_that_is_trusted_is_told_so(
    tls_server: RedisServer, certificates: Certificates, name: str
) -> None:
    certificate = certificates.certificate(name) if name else certificates.authority("ca")
    message = message_of(url=tls_server.url, **certificate)
    assert "`ssl_certfile`" in message
    assert "`ssl_keyfile`" in message


@pytest.mark.parametrize("authority", ["other", ""])
def test_a_server_that_is_not_trusted_is_said_to_be_so(
    tls_server: RedisServer, certificates: Certificates, authority: str
) -> None:
    trusted = certificates.authority(authority) if authority else {}
    assert "`ssl_ca_certs`" in message_of(url=tls_server.url, **trusted)


@pytest.mark.parametrize("option", ["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"])
def test_a_file_of_tls_that_cannot_be_read_is_named(
    tls_server: RedisServer, certificates: Certificates, option: str, tmp_path: Path
) -> None:
    files = {**certificates.certificate("client"), option: str(tmp_path / "none.pem")}
    assert message_of(url=tls_server.url, **files).startswith(f"{option} cannot be read: No such file or directory")


def test_a_key_of_another_certificate_is_said_to_be_one(tls_server: RedisServer, certificates: Certificates) -> None:
    key = {"ssl_keyfile": certificates.certificate("stranger")["ssl_keyfile"]}
    assert "not a certificate and its key" in message_of(url=tls_server.url, **certificates.certificate("client") | key)


@pytest.mark.slow
def test_a_cluster_is_reached_with_tls(certificates: Certificates, store_id: str) -> None:
    with demand(lambda: RedisClusterServers("redis", tls=certificates)) as servers:
        assert servers.url.startswith("rediss+cluster://")
        check_whole_story(store_id, url=servers.url, **certificates.certificate("client"))
        stranger = certificates.certificate("stranger")
        assert "`ssl_certfile`" in message_of(url=servers.url, **stranger)
        other = certificates.certificate("client") | certificates.authority("other")
        assert "`ssl_ca_certs`" in message_of(url=servers.url, **other)


@pytest.mark.slow
def test_a_master_is_found_by_its_sentinels_with_tls(certificates: Certificates, store_id: str) -> None:
    with demand(lambda: watched("redis", certificates)) as servers:
        assert servers.url.startswith("rediss+sentinel://")
        check_whole_story(store_id, url=servers.url, **certificates.certificate("client"))
        other = certificates.certificate("client") | certificates.authority("other")
        assert "`ssl_ca_certs`" in message_of(url=servers.url, **other)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"url": "redis://h", "ssl": True}, "write rediss://"),
        ({"url": "redis://h", "ssl_certfile": "/x"}, "ssl_certfile cannot be used without TLS"),
        ({"host": "h", "ssl_ca_certs": "/x"}, "ssl_ca_certs cannot be used without TLS"),
        ({"host": "h", "unix_socket_path": "/x"}, "either 'unix_socket_path', or 'host' or 'url'"),
        ({"url": "redis://h", "unix_socket_path": "/x"}, "either 'unix_socket_path', or 'host' or 'url'"),
        ({"url": f"redis+cluster://:{QUOTED}@h:port"}, "URL is not valid"),
        ({"url": f"redis+sentinel://:{QUOTED}@h:port/s"}, "URL is not valid"),
        ({"url": f"redis+proxy://:{QUOTED}@h"}, "URL is not valid: it must begin with redis://"),
        ({"url": f"redis://:{QUOTED}@h:port"}, "URL is not valid: the part after the scheme"),
        ({"url": f"redis://:{QUOTED}@h/inventory"}, "URL is not valid: after the address comes the number"),
    ],
)
def test_what_does_not_go_together_is_refused(where: dict[str, Any], message: str) -> None:
    assert message in message_of(**where)


# A Unix socket


def test_a_unix_socket_is_reached_by_path_and_by_url(redis_server: RedisServer, store_id: str) -> None:
    check_whole_story(store_id, unix_socket_path=str(redis_server.unix_socket))
    check_whole_story(store_id, url=f"unix://{redis_server.unix_socket}")


def test_a_unix_socket_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    assert message_of(unix_socket_path=str(tmp_path / "none")) == "Redis store is unavailable."


# A user with few rights

CONNECTIONS = (ROOT / "docs" / "connections.md").read_text("utf-8")


def acl_rule(password: str) -> list[str]:
    """The rule that the documentation gives, as a command."""
    found = re.search(r"ACL SETUSER diffsync on (.+?)```", CONNECTIONS, re.DOTALL)
    assert found, "the documentation states no ACL rule"
    return shlex.split(found[0].removesuffix("```").replace("\\\n", " ").replace(">PASSWORD", f">{password}"))


@pytest.fixture
def restricted(redis_server: RedisServer) -> dict[str, Any]:
    with closing(redis_server.client()) as admin:
        execute: Callable[..., object] = admin.execute_command
        execute(*acl_rule("few-rights"))
    return {"host": "127.0.0.1", "port": redis_server.port, "username": "diffsync", "password": "few-rights"}


def test_a_user_with_the_rights_of_the_readme_can_do_everything(restricted: dict[str, Any], store_id: str) -> None:
    check_whole_story(store_id, **restricted)
    check_whole_story(store_id, **restricted, db=1)


@pytest.mark.slow
def test_on_a_cluster_a_few_more_rights_are_enough(cluster: RedisClusterServers, store_id: str) -> None:
    found = re.search(r"On a cluster, the user also needs `(.+?)`", CONNECTIONS)
    assert found
    for node in cluster.nodes:
        node.run(*acl_rule("few-rights"), *found[1].split())
    check_whole_story(store_id, url=cluster.url, username="diffsync", password="few-rights")


def test_a_user_with_the_rights_of_the_readme_can_do_nothing_else(restricted: dict[str, Any]) -> None:
    with closing(redis.Redis(**restricted)) as client:
        execute: Callable[..., object] = client.execute_command
        for command in (
            "GET other", "SET ds:other x", "HGETALL dsx:{a}:record", "DEL session", "ZADD ds:storesx 1 a",
            "KEYS *", "SCAN 0", "FLUSHALL", "CONFIG GET *", "ACL LIST", "SCRIPT FLUSH", "PUBLISH a b", "MONITOR",
        ):  # fmt: skip
            with pytest.raises(redis.exceptions.NoPermissionError):
                execute(*command.split())
        with pytest.raises(redis.exceptions.ResponseError, match=r"(?i)permission|can't access|NOPERM"):
            execute("EVAL", "return redis.call('GET', 'other')", 0)


def test_a_right_that_is_lacking_in_a_script_is_said_to_be(
    restricted: dict[str, Any], redis_server: RedisServer
) -> None:
    with closing(redis_server.client()) as admin, RedisStore(**restricted) as store:
        execute: Callable[..., object] = admin.execute_command
        execute("ACL", "SETUSER", "diffsync", "-hincrby", "-hset")
        with pytest.raises(ObjectStoreException, match="lacks a right"):
            store.add(obj=Device(name="a"))


def test_each_command_of_the_scripts_is_in_the_rule_of_the_readme() -> None:
    rule = {word.removeprefix("+").upper() for word in acl_rule("x") if word.startswith("+")}
    sources = [path.read_text() for path in (ROOT / "diffsync_store/store/redis/scripts").rglob("*.lua")]
    # A command called by pcall is optional.
    used = {command for source in sources for command in re.findall(r"redis\.call\(\s*'(\w+)'", source)}
    assert used, "no script was found"
    assert used <= rule


# Secrets


def test_no_secret_shows_in_what_is_printed(sentinels: SentinelServers, store_id: str) -> None:
    with (
        RedisStore(url=sentinels.url, store_id=store_id) as store,
        closing(RedisDiffs(url=sentinels.url)) as diffs,
    ):
        connection = Connection(url=sentinels.url)
        shown = " ".join(f"{thing!r} {thing}" for thing in (store, diffs, connection, connection.client))
        connection.close()
    assert not [secret for secret in (SECRET, SENTINEL_SECRET, QUOTED, SENTINEL_QUOTED) if secret in shown]


def test_the_schemes_that_a_message_names_are_all_there_are() -> None:
    assert set(redis_client._MAKERS) <= set(re.findall(r"([\w+]+)://", redis_client._SCHEMES))
