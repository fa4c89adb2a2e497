"""Projects that share a Redis: each has stores, diffs, leases and a retention of its own, under whatever names."""

from __future__ import annotations

import re
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from diffsync_flows.config.config import Config
from diffsync_flows.runtime.context import SyncContext
from diffsync_store import DiffNotFound, LeaseHeld, ObjectStoreException, StoreNotFound
from diffsync_store.cli.commands import app
from diffsync_store.diffs import RedisDiffs
from diffsync_store.retention import Retention
from diffsync_store.store.redis import RedisLeases, RedisStore, RedisStores, target_lease
from diffsync_store.store.redis.keys import DIFFS, STORES, DiffKeys, StoreKeys, index_of_diffs, index_of_stores
from tests.servers import RedisServer
from tests.store.inventory import Site, sites

SPACES = ("", "branches", "head-office")


def load(url: str, namespace: str, store_id: str, *names: str) -> RedisStore:
    store = RedisStore(store_id=store_id, name="netbox", url=url, ttl=600, namespace=namespace)
    adapter = sites(store)
    with store.loading():
        for name in names:
            adapter.add(Site(name=name))
    return store


@pytest.fixture
def filled(own_redis: RedisServer) -> str:
    """A Redis with stores `s` and `t` and a diff `d` in each namespace, of a number of sites of its own."""
    for number, namespace in enumerate(SPACES, 1):
        source = load(own_redis.url, namespace, "s", *map(str, range(number)))
        target = load(own_redis.url, namespace, "t")
        with closing(RedisDiffs(url=own_redis.url, namespace=namespace)) as diffs:
            diffs.compare(sites(source), sites(target), "d")
        source.close()
        target.close()
    return own_redis.url


@pytest.mark.parametrize(
    ("diff", "source", "target"),
    [
        ("", "branches", "head-office"),
        ("", "branches", "branches"),
        ("branches", "branches", ""),
        ("branches", "", "branches"),
        ("branches", "branches", "head-office"),
    ],
)
def test_a_diff_and_its_stores_are_in_one_namespace(filled: str, diff: str, source: str, target: str) -> None:
    with (
        closing(RedisStore(store_id="s", url=filled, namespace=source)) as of_source,
        closing(RedisStore(store_id="t", url=filled, namespace=target)) as of_target,
        closing(RedisDiffs(url=filled, namespace=diff)) as diffs,
    ):
        for compare in (diffs.compare, diffs.compare_once):
            with pytest.raises(ObjectStoreException) as caught:
                compare(sites(of_source), sites(of_target), "another")
            told = str(caught.value)
            assert all((repr(space) if space else "none") in told for space in (diff, source, target)), told
            assert "the same `namespace`" in told
        with pytest.raises(DiffNotFound):
            diffs.open("another")
        saved = diffs.open("d")
        if target != diff:
            with pytest.raises(ObjectStoreException, match="the same `namespace`"):
                saved.apply(sites(), sites(of_target))


def test_each_namespace_has_stores_and_diffs_of_its_own_under_the_same_names(filled: str) -> None:
    for number, namespace in enumerate(SPACES, 1):
        with (
            closing(RedisStores(url=filled, namespace=namespace)) as stores,
            closing(RedisDiffs(url=filled, namespace=namespace)) as diffs,
        ):
            assert [record.store_id for record in stores.list()] == ["t", "s"]
            assert stores.record("s").counts == {"site": number}
            assert stores.newest("netbox").store_id == "t"
            assert [record.diff_id for record in diffs.list()] == ["d"]
            assert diffs.open("d").record.operations == number


def test_what_is_dropped_or_decided_in_one_namespace_stays_in_the_others(filled: str) -> None:
    with closing(RedisDiffs(url=filled, namespace="branches")) as diffs:
        diffs.open("d").approve(by="ann", reason="")
        diffs.open("d").drop()
        with pytest.raises(DiffNotFound):
            diffs.open("d")
    none = timedelta(0)
    with closing(Retention(url=filled, stores=none, diffs=none, namespace="branches")) as retention:
        assert {found.name for found in retention.run()} == {"s", "t"}
    with closing(RedisStores(url=filled, namespace="branches")) as stores, pytest.raises(StoreNotFound):
        stores.record("s")
    with closing(RedisDiffs(url=filled)) as diffs, closing(RedisStores(url=filled)) as stores:
        assert diffs.open("d").journal().approval() is None
        assert stores.record("s").counts == {"site": 1}


def test_a_target_has_a_lease_in_each_namespace(own_redis: RedisServer) -> None:
    with ExitStack() as taken:
        for namespace in SPACES:
            leases = taken.enter_context(closing(RedisLeases(url=own_redis.url, namespace=namespace)))
            taken.enter_context(leases.take(target_lease("db"), "sync"))
            unlock = f"diffsync-store{f' --namespace {namespace}' if namespace else ''} unlock db"
            with pytest.raises(LeaseHeld, match=f"`{unlock}`"):
                leases.take(target_lease("db"), "sync")
        leases = taken.enter_context(closing(RedisLeases(url=own_redis.url, namespace="head-office")))
        lease = taken.enter_context(leases.take("s", "by hand"))
        with pytest.raises(ObjectStoreException, match="of the namespace 'head-office', not on 's'"):
            RedisStore(store_id="s", url=own_redis.url, lease=lease)
        load(own_redis.url, "head-office", "s").close()
        RedisStore(store_id="s", url=own_redis.url, lease=lease, namespace="head-office").close()


@pytest.mark.parametrize("namespace", ["a b", "a:b", "{a}", "ä", "x" * 65, "*", "a/b"])
def test_a_name_that_could_be_taken_for_a_part_of_a_key_is_refused(redis_url: str, namespace: str) -> None:
    for made in (
        lambda: RedisStore(url=redis_url, namespace=namespace),
        lambda: RedisStores(url=redis_url, namespace=namespace),
        lambda: RedisDiffs(url=redis_url, namespace=namespace),
        lambda: RedisLeases(url=redis_url, namespace=namespace),
    ):
        with pytest.raises(ObjectStoreException, match="is not valid: use 1 to 64 letters"):
            made()


def test_keys_without_a_namespace_are_as_ever_and_all_of_a_store_have_one_hash_tag() -> None:
    assert StoreKeys("s").record == "dss:{s}:record"
    assert DiffKeys("d").elements == "dsd:{d}:elements"
    assert (index_of_stores(""), index_of_diffs("")) == (STORES, DIFFS) == ("ds:stores", "ds:diffs")
    keys = [*StoreKeys("s", "n").all(["m{x}"]), StoreKeys("s", "n").lease, *DiffKeys("s", "n").all()]
    assert {re.search(r"\{(.*?)\}", key)[1] for key in keys} == {"s"}  # type: ignore[index]
    assert all(key.startswith(("dss:n:", "dsd:n:")) for key in (*keys, index_of_stores("n"), index_of_diffs("n")))


def test_the_command_looks_into_one_namespace(filled: str) -> None:
    runner = CliRunner()
    for number, namespace in enumerate(SPACES, 1):
        given = ["--url", filled, *(["--namespace", namespace] if namespace else [])]
        assert f"{number} create" in runner.invoke(app, [*given, "diff", "s", "t"]).output
        listed = runner.invoke(app, [*given, "changes", "d", "--json"]).output
        assert len(listed.splitlines()) == number
    missing = runner.invoke(app, ["--url", filled, "changes", "no-such"])
    assert "`diffsync-store --namespace PROJECT`" in missing.stderr


def test_a_project_of_the_flows_is_a_namespace(filled: str, tmp_path: Path) -> None:
    file = tmp_path / "syncs.yaml"
    for number, (project, namespace) in enumerate((("diffsync", ""), ("branches", "branches")), 1):
        file.write_text(f"project: {project}\nstore: {{url: '{filled}'}}\n")
        config = Config(file)
        assert config.namespace == namespace
        with SyncContext(config) as context, context.open_store("s") as store:
            assert store.record().counts == {"site": number}
            assert context.diffs().open("d").record.operations == number
            assert context.leases().namespace == namespace
            assert context.newest_store("netbox").store_id == "t"
