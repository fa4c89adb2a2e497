"""Number of calls of a sync, compared with the minimum: one for each `batch_size` records of a model and action.

Run it with `python -m benchmarks.calls [manufacturers]`. It has two
scenarios: device types (manufacturer, device type, nine kinds of component) with creates, updates and deletes of each model;
and the airport registry, first from an empty target to one release, then from that release to the next.
"""

from __future__ import annotations

import argparse
import logging
import math
from collections import Counter
from typing import Any, ClassVar

import structlog

from diffsync_store import Adapter, Diff, DiffSyncModel, LocalStore, Sync, SyncOptions
from diffsync_store.diff import walk
from tests.sync.airports import Registry, releases

Data = dict[str, Any]
COMPONENTS = (
    "console_port",
    "console_server_port",
    "power_port",
    "power_outlet",
    "interface",
    "rear_port",
    "front_port",
    "module_bay",
    "device_bay",
)
BATCH_SIZE = 200


class Counting(Adapter):
    """Counts the hook calls of its models, by action and model."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.calls: Counter[tuple[str, str]] = Counter()


class BatchModel(DiffSyncModel):
    """A model with batch hooks."""

    @classmethod
    def create_many(cls, adapter: Any, records: list[tuple[Data, Data]]) -> list[Any]:
        adapter.calls["create", cls._modelname] += 1
        return [cls.create_base(adapter, ids, attrs) for ids, attrs in records]

    @classmethod
    def update_many(cls, adapter: Any, changes: list[tuple[BatchModel, Data]]) -> list[Any]:
        adapter.calls["update", cls._modelname] += 1
        return [obj.update_base(attrs) for obj, attrs in changes]

    @classmethod
    def delete_many(cls, adapter: Any, objects: list[BatchModel]) -> list[Any]:
        adapter.calls["delete", cls._modelname] += 1
        return [obj.delete_base() for obj in objects]


class Manufacturer(BatchModel):
    _modelname = "manufacturer"
    _identifiers = ("name",)
    _attributes = ("description",)
    _children = {"device_type": "device_types"}

    name: str
    description: str = ""
    device_types: list[str] = []


class DeviceType(BatchModel):
    _modelname = "device_type"
    _identifiers = ("manufacturer", "model")
    _attributes = ("part_number",)
    _children = {name: f"{name}s" for name in COMPONENTS}

    manufacturer: str
    model: str
    part_number: str = ""
    console_ports: list[str] = []
    console_server_ports: list[str] = []
    power_ports: list[str] = []
    power_outlets: list[str] = []
    interfaces: list[str] = []
    rear_ports: list[str] = []
    front_ports: list[str] = []
    module_bays: list[str] = []
    device_bays: list[str] = []


class Component(BatchModel):
    _identifiers = ("manufacturer", "device_type", "name")
    _attributes = ("kind",)

    manufacturer: str
    device_type: str
    name: str
    kind: str = ""


KINDS: dict[str, type[Component]] = {
    name: type(name.title().replace("_", ""), (Component,), {"_modelname": name, "__module__": __name__})
    for name in COMPONENTS
}


class DeviceTypes(Counting):
    manufacturer = Manufacturer
    device_type = DeviceType
    top_level: ClassVar[list[str]] = ["manufacturer"]

    console_port, console_server_port, power_port = (KINDS[name] for name in COMPONENTS[:3])
    power_outlet, interface, rear_port = (KINDS[name] for name in COMPONENTS[3:6])
    front_port, module_bay, device_bay = (KINDS[name] for name in COMPONENTS[6:])

    def fill(self, manufacturers: range, types: range, kind: str) -> DeviceTypes:
        """Add the numbered device types to each numbered manufacturer; the number of components varies, down to none."""
        for maker in manufacturers:
            above = Manufacturer(name=f"m{maker}", description=kind)
            self.add(above)
            for number in types:
                device_type = DeviceType(manufacturer=above.name, model=f"t{number}", part_number=kind)
                self.add(device_type)
                above.add_child(device_type)
                for place, name in enumerate(COMPONENTS):
                    for each in range((maker * 7 + number * 3 + place) % 5):
                        child = KINDS[name](
                            manufacturer=above.name, device_type=device_type.model, name=f"c{each}", kind=kind
                        )
                        self.add(child)
                        device_type.add_child(child)
        return self


def minimum_calls(diff: Diff, batch_size: int) -> int:
    """Return the minimum number of calls that can apply a diff."""
    numbers = Counter((element.type, element.action) for element, _ in walk(diff.get_children(), None))
    return sum(math.ceil(number / batch_size) for (_, action), number in numbers.items() if action is not None)


def device_types(manufacturers: int = 20) -> tuple[DeviceTypes, DeviceTypes]:
    """Return a source and a target that need creates, updates and deletes; 13,000 with 20 manufacturers."""
    half = manufacturers // 2
    source = DeviceTypes("source").fill(range(manufacturers), range(2 * manufacturers), "new")
    target = DeviceTypes("target").fill(range(half, 3 * half), range(manufacturers, 3 * manufacturers), "old")
    return source, target


class BulkRegistry(Registry):
    """A registry with batch hooks that counts their calls."""

    def __init__(self, name: str) -> None:
        super().__init__(name, LocalStore)
        self.calls: Counter[tuple[str, str]] = Counter()


def _counted(model: type[Any]) -> Any:
    hooks = {name: vars(BatchModel)[name] for name in ("create_many", "update_many", "delete_many")}
    single = {name: vars(DiffSyncModel)[name] for name in ("create", "update", "delete")}
    return type(model.__name__, (model,), {**hooks, **single, "__module__": __name__})


BulkRegistry.country = _counted(Registry.country)
BulkRegistry.subdivision = _counted(Registry.subdivision)
BulkRegistry.airport = _counted(Registry.airport)


def airports() -> list[tuple[str, BulkRegistry, BulkRegistry]]:
    """Return the name, source and target of the two syncs: into an empty target, and from one release to the next."""
    old, new = releases()
    return [
        ("airports, a first load", BulkRegistry("source").read(old), BulkRegistry("target")),
        ("airports, release to release", BulkRegistry("source").read(new), BulkRegistry("target").read(old)),
    ]


def count(source: Any, target: Any, options: SyncOptions) -> tuple[int, int, int]:
    """Apply the difference; return the number of operations, of calls, and the minimum of calls."""
    diff = target.diff_from(source)
    least = minimum_calls(diff, options.batch_size)
    result = Sync(diff, source, target, options).run()
    assert result.is_complete, result.counts()
    assert not target.diff_from(source).has_diffs()
    return result.applied, sum(target.calls.values()), least


def main(arguments: list[str] | None = None) -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "manufacturers", type=int, nargs="?", default=20, help="number of manufacturers of the device types"
    )
    parser.add_argument(
        "--no-airports", action="store_true", help="skip the airport registry, which has to be downloaded"
    )
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    shapes: list[tuple[str, Any, Any]] = [("device types", *device_types(options.manufacturers))]
    if not options.no_airports:
        shapes += airports()
    for name, source, target in shapes:
        operations, calls, least = count(source, target, SyncOptions(batch_size=BATCH_SIZE))
        print(f"{name}: {operations:,} operations in {calls} calls, minimum {least}: ratio {calls / least:.2f}")


if __name__ == "__main__":
    main()
