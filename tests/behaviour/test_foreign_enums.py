"""Programs that mix objects and enums of diffsync with this package: their values count, not their package.

Each test runs a function of this module in a process that has diffsync 2.2.3 on its path.
"""

from __future__ import annotations

import enum
import importlib
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from diffsync_store import Adapter, DiffSyncFlags, DiffSyncModel, DiffSyncModelFlags
from diffsync_store.store import BaseStore
from diffsync_store.store.local import LocalStore
from diffsync_store.store.redis import RedisStore
from tests.store.child import run


class Device(DiffSyncModel):
    _modelname = "device"
    _identifiers = ("name",)
    _attributes = ("role",)

    name: str
    role: str = ""


class Inventory(Adapter):
    device = Device
    top_level = ["device"]


def theirs() -> Any:
    return importlib.import_module("diffsync.enum")


def levels_of_objects_of_diffsync() -> list[tuple[str, str, str]]:
    """A target whose store was filled with diffsync's objects."""
    diffsync = importlib.import_module("diffsync")

    class Foreign(diffsync.DiffSyncModel):  # type: ignore[misc, name-defined]
        _modelname = "device"
        _identifiers = ("name",)
        _attributes = ("role",)

        name: str
        role: str = ""

        def update(self, attrs: dict[str, Any]) -> Any:
            if self.name == "c":
                self.set_status(diffsync.DiffSyncStatus.FAILURE, "half done")
                return self
            return super().update(attrs)

    source, target = Inventory(), Inventory()
    for name in ("a", "c"):
        source.add(Device(name=name, role="leaf"))
    for name in ("a", "b", "c"):
        target.store.add(obj=Foreign(name=name))
    with capture_logs() as lines:
        target.sync_from(source)
    return [(line["action"], line["status"], line["log_level"]) for line in lines if "status" in line]


@pytest.mark.slow
def test_an_object_of_diffsync_that_succeeds_is_logged_as_a_success(diffsync_dir: Path) -> None:
    assert run(levels_of_objects_of_diffsync, path=[diffsync_dir]) == [
        ["update", "success", "info"], ["update", "failure", "warning"], ["delete", "success", "info"],
    ]  # fmt: skip


def filled(store: BaseStore, *names: str) -> Inventory:
    adapter = Inventory(internal_storage_engine=store)
    for name in names:
        adapter.add(Device(name=name))
    return adapter


def synced_with_flags_of_diffsync(url: str) -> list[list[str]]:
    """Return the target after each sync, on both stores."""
    flags, found = theirs().DiffSyncFlags, []
    for chosen in (flags.NONE, flags.SKIP_UNMATCHED_DST, flags.SKIP_UNMATCHED_BOTH | flags.CONTINUE_ON_FAILURE):
        for kind in ("local", "redis"):
            stores: list[BaseStore] = [LocalStore(), LocalStore()]
            if kind == "redis":
                stores = [RedisStore(url=url, store_id=f"{side}-{chosen.value}") for side in ("source", "target")]
            source, target = filled(stores[0], "a", "b"), filled(stores[1], "b", "c")
            target.sync_from(source, flags=chosen)
            found.append(sorted(device.name for device in target.get_all("device")))
    return found


@pytest.mark.slow
def test_flags_of_diffsync_have_the_same_effect(diffsync_dir: Path, redis_url: str) -> None:
    found = run(synced_with_flags_of_diffsync, path=[diffsync_dir], url=redis_url)
    assert found == [["a", "b"]] * 2 + [["a", "b", "c"]] * 2 + [["b", "c"]] * 2


def ignored_by_flags_of_diffsync(url: str) -> list[list[str]]:
    """What is left to be created, of objects whose flags are diffsync's, made with them or given them later; on both stores."""
    flags = theirs().DiffSyncModelFlags
    found = []
    for store in (LocalStore(), RedisStore(url=url, store_id="ignored")):
        source = Inventory(internal_storage_engine=store)
        made = Device(name="a", model_flags=flags.IGNORE)
        later = Device(name="b")
        later.model_flags = flags.IGNORE
        for device in (made, later, Device(name="d")):
            source.add(device)
        del made, later, device
        store.flush()
        found.append([element.name for element in source.diff_to(Inventory()).get_children()])
    return found


@pytest.mark.slow
def test_model_flags_of_diffsync_have_the_same_effect(diffsync_dir: Path, redis_url: str) -> None:
    assert run(ignored_by_flags_of_diffsync, path=[diffsync_dir], url=redis_url) == [["d"], ["d"]]


class Unlike(enum.Flag):
    CONTINUE = 0b1
    OTHER = 0b1000000


def test_flags_are_compared_by_their_bits() -> None:
    assert DiffSyncFlags(Unlike.CONTINUE) is DiffSyncFlags.CONTINUE_ON_FAILURE
    assert Unlike.CONTINUE in DiffSyncFlags.CONTINUE_ON_FAILURE
    assert Unlike.CONTINUE not in DiffSyncFlags.NONE
    assert DiffSyncModelFlags(Unlike.CONTINUE) is DiffSyncModelFlags.IGNORE
    with pytest.raises(ValueError, match="invalid value 64"):
        DiffSyncFlags(Unlike.OTHER)
    with pytest.raises(TypeError):
        assert "CONTINUE_ON_FAILURE" in DiffSyncFlags.NONE
