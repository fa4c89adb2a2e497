"""An adapter of a file is loaded in shards, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from diffsync_store import ObjectAlreadyExists, ShardState, StoredAdapter, StoreState
from diffsync_store.project import ConfigError, Project, SyncContext
from diffsync_store.runs import ShardLoad, find_shards, load, load_progress, load_shard, missing_shards, new_id

FILE = """
models:
  item: {identifiers: {name: str}}
adapters:
  a: {type: files, settings: {folder: data}, shards: auto, records: {item: {from: "*/*.csv", shard: folder}}}
  listed: {type: files, settings: {folder: data}, shards: [eu, gone], records: {item: {from: "*/*.csv", shard: folder}}}
  none: {type: files, settings: {folder: data}, shards: [no, gone], records: {item: {from: "*/*.csv", shard: folder}}}
  plain: {type: files, settings: {folder: data}, records: {item: {from: "*/*.csv"}}}
"""


@pytest.fixture
def context(redis_url: str, tmp_path: Path) -> Iterator[SyncContext[Project]]:
    for name, text in {"eu/a.csv": "name\nx\n", "us/a.csv": "name\ny\nz\n"}.items():
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text(text)
    (tmp_path / "syncs.yaml").write_text(FILE)
    with SyncContext(Project(tmp_path / "syncs.yaml", {}), redis_url) as context:
        yield context


@pytest.fixture
def store_id(context: SyncContext[Project]) -> Iterator[str]:
    store_id = new_id("sharded")
    yield store_id
    with context.open_store(store_id) as store:
        store.drop()


def test_the_store_of_the_shards_is_that_of_the_whole(context: SyncContext[Project], store_id: str) -> None:
    record = load(context, "a", store_id)
    assert (record.state, record.counts) == (StoreState.COMPLETE, {"item": 3})
    assert [(shard.name, shard.objects) for shard in record.shards] == [("eu", 1), ("us", 2)]
    whole = load(context, "plain", store_id)
    assert whole.counts == record.counts
    assert whole.shards == ()


def test_a_diff_of_the_shards_finds_what_one_of_the_whole_finds(context: SyncContext[Project], store_id: str) -> None:
    load(context, "a", store_id)
    with context.open_store(store_id) as store, context.open_store(f"{store_id}-empty", name="plain") as other:
        with other.loading():
            context.project.make_adapter("plain", other)
        assert StoredAdapter(other).diff_from(StoredAdapter(store)).summary()["create"] == 3
        other.drop()


def test_a_shard_whose_adapter_cannot_be_made_has_failed(context: SyncContext[Project], store_id: str) -> None:
    shards = find_shards(context, "a", store_id, "night")
    with context.open_store(store_id) as store, pytest.raises(ConfigError):
        load_shard(context, store, ShardLoad("gone", "us", shards, "night"), lambda _name, _store: nullcontext())
    with context.open_store(store_id) as store:
        assert [shard.state for shard in store.shards()] == [ShardState.MISSING, ShardState.FAILED]
        assert "no adapter 'gone' is declared" in store.shards()[1].reason


def test_a_failed_shard_is_a_gap_and_the_others_are_loaded(context: SyncContext[Project], store_id: str) -> None:
    record = load(context, "listed", store_id)
    assert (record.state, record.counts) == (StoreState.PARTIAL, {"item": 1})
    assert [shard.state for shard in record.shards] == [ShardState.PARTIAL, ShardState.FAILED]
    assert "the load of the shard gone failed: FileNotFoundError: No file fits" in record.reason
    assert "in none of the shards eu, gone" in record.reason


def test_a_load_without_any_shard_fails(context: SyncContext[Project], store_id: str) -> None:
    with pytest.raises(FileNotFoundError, match="for the shard 'no'") as caught:
        load(context, "none", store_id)
    assert "No shard was loaded: no, gone." in getattr(caught.value, "__notes__", ())


def test_only_missing_shards_are_loaded_again(context: SyncContext[Project], store_id: str) -> None:
    shards = find_shards(context, "a", store_id, "night")
    assert missing_shards(context, store_id, shards, "night") == ["eu", "us"]
    with context.open_store(store_id, name="a") as store:
        load_shard(context, store, ShardLoad("a", "us", shards, "night"), lambda _name, _store: nullcontext())
        progress = load_progress(context, "a", store)
    assert progress is not None
    assert progress.done == 2
    assert missing_shards(context, store_id, shards, "night") == ["eu"]
    assert missing_shards(context, store_id, shards, "day") == ["eu", "us"]
    (context.project.path.parent / "data/asia").mkdir()
    (context.project.path.parent / "data/asia/a.csv").write_text("name\nnew\n")
    assert list(find_shards(context, "a", store_id, "night")) == ["eu", "us"]
    assert list(find_shards(context, "a", store_id, "day")) == ["asia", "eu", "us"]


def test_a_record_in_two_shards_fails_the_load_with_both_names(context: SyncContext[Project], store_id: str) -> None:
    (context.project.path.parent / "data/us/b.csv").write_text("name\nx\n")
    with pytest.raises(ObjectAlreadyExists, match="item x is in the shard eu and in the shard us") as caught:
        load(context, "a", store_id)
    assert "The load of a failed." in caught.value.__notes__


def test_an_adapter_that_is_not_declared_has_no_shards(context: SyncContext[Project], store_id: str) -> None:
    with pytest.raises(ConfigError, match="no adapter 'b' is declared"):
        load(context, "b", store_id)
