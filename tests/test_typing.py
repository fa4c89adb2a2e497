"""The types that a type checker infers in programs that use the library.

mypy checks them in `make check`; at run time `assert_type` does nothing.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self, assert_type

from diffsync_store import (
    Adapter,
    BaseStore,
    Diff,
    DiffElement,
    DiffSyncFlags,
    DiffSyncModel,
    LocalStore,
    Reject,
    StoredAdapter,
    StoreRecord,
    StoreState,
    SyncResult,
)
from diffsync_store.diffs import RedisDiffs, SavedDiff
from diffsync_store.exceptions import ChangeLimitExceeded, LeaseHeld, StoreNotComplete
from diffsync_store.store.redis import Connection, Lease, RedisLeases, RedisStore


class Device(DiffSyncModel):
    _modelname = "device"
    _identifiers = ("name",)
    _attributes = ("role",)

    name: str
    role: str = ""

    # An override may declare a more specific adapter class.
    @classmethod
    def create(cls, adapter: "Inventory", ids: dict[str, Any], attrs: dict[str, Any]) -> Self | None:
        assert_type(super().create(adapter, ids, attrs), Self | None)
        return super().create(adapter, ids, attrs)

    def update(self, attrs: dict[str, Any]) -> Self | None:
        return super().update(attrs)

    def delete(self) -> Self | None:
        return super().delete()


class Inventory(Adapter):
    device = Device
    top_level = ["device"]


def test_the_library_has_the_types_that_programs_rely_on() -> None:
    inventory, target = Inventory(), Inventory("target", internal_storage_engine=LocalStore())
    inventory.add(Device(name="x"))

    device = inventory.get(Device, "x")
    assert_type(device, Device)
    assert_type(inventory.get(device, {"name": "x"}), Device)
    assert_type(inventory.get("device", "x"), Any)
    assert_type(inventory.get_or_none(Device, "y"), Device | None)
    assert_type(inventory.get_all(Device), list[Device])
    assert_type(inventory.get_all("device"), list[Any])
    assert_type(inventory.iter_all(Device), Iterator[Device])
    assert_type(inventory.get_by_uids(["x"], Device), list[Device])
    assert_type(inventory.get_or_instantiate(Device, {"name": "x"}), tuple[Device, bool])
    assert_type(inventory.update_or_instantiate(Device, {"name": "x"}, {"role": "a"}), tuple[Device, bool])
    assert_type(inventory.get_or_add_model_instance(device), tuple[Device, bool])
    assert_type(inventory.update_or_add_model_instance(device), tuple[Device, bool])
    assert_type(inventory.count(Device), int)
    assert_type(inventory.get_all_model_names(), set[str])
    assert_type(inventory.store, BaseStore)
    assert_type(inventory.dict(), dict[str, Any])

    assert_type(device.get_attrs(), dict[str, Any])
    assert_type(device.get_unique_id(), str)
    assert_type(device.update({"role": "a"}), Device | None)
    assert_type(device.delete(), Device | None)
    assert_type(Device.create(inventory, {"name": "z"}, {}), Device | None)
    assert_type(device.model_copy(), Device)

    diff = inventory.diff_to(target, flags=DiffSyncFlags.CONTINUE_ON_FAILURE)
    assert_type(diff, Diff)
    assert_type(target.diff_from(inventory), Diff)
    assert_type(list(diff.get_children()), list[DiffElement])
    assert_type(diff.summary(), dict[str, int])
    assert_type(diff.result, SyncResult | None)
    applied = target.sync_from(inventory)
    assert_type(applied, Diff)
    assert_type(inventory.sync_to(target), Diff)
    result = applied.result
    assert result is not None
    assert_type(result.rejects, list[Reject])


if TYPE_CHECKING:

    def types_of_stores_diffs_and_leases(store: RedisStore, diffs: RedisDiffs, leases: RedisLeases) -> None:
        """For mypy only: running it would need a server."""
        with RedisStore(store_id="devices", connection=Connection(url="redis://localhost:6379")) as opened:
            assert_type(opened, RedisStore)
        with store.loading() as loading:
            assert_type(loading, RedisStore)
        assert_type(store.store_id, str)
        assert_type(store.state, StoreState)
        assert_type(store.record(), StoreRecord)
        adapter = StoredAdapter(store)
        assert_type(diffs.compare(adapter, adapter), str)
        saved = diffs.open("nightly")
        assert_type(saved, SavedDiff)
        assert_type(saved.diff(), Diff)
        assert_type(saved.apply(adapter, adapter), SyncResult)
        with leases.take("devices", "nightly sync") as lease:
            assert_type(lease, Lease)
            assert_type(lease.token, int)

    def types_of_error_attributes(incomplete: StoreNotComplete, held: LeaseHeld, exceeded: ChangeLimitExceeded) -> None:
        assert_type(incomplete.record.store_id, str)
        assert_type([excess.count for excess in exceeded.excesses], list[int])
        if held.holder is not None:
            assert_type(held.holder.owner, str)
