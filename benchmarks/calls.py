"""Number of calls of a sync, compared with the minimum: one for each `batch_size` records of a model and action.

Run it with `python -m benchmarks.calls [manufacturers]`. Two shapes: device types (manufacturer, device type, nine kinds of component), with creates, updates and deletes of all of them; and the
airport registry, from nothing to one release and from one release to the next.
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
    """Counts the calls of its models' hooks, by action and model."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.calls: Counter[tuple[str, str]] = Counter()


class Many(DiffSyncModel):
    """Takes many records at once."""

    @classmethod
    def create_many(cls, adapter: Any, records: list[tuple[Data, Data]]) -> list[Any]:
        adapter.calls["create", cls._modelname] += 1
        return [cls.create_base(adapter, ids, attrs) for ids, attrs in records]

    @classmethod
    def update_many(cls, adapter: Any, changes: list[tuple[Many, Data]]) -> list[Any]:
        adapter.calls["update", cls._modelname] += 1
        return [obj.update_base(attrs) for obj, attrs in changes]

    @classmethod
    def delete_many(cls, adapter: Any, objects: list[Many]) -> list[Any]:
        adapter.calls["delete", cls._modelname] += 1
        return [obj.delete_base() for obj in objects]


class Manufacturer(Many):
    _modelname = "manufacturer"
    _identifiers = ("name",)
    _attributes = ("description",)
    _children = {"device_type": "device_types"}

    name: str
    description: str = ""
    device_types: list[str] = []


class DeviceType(Many):
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


class Component(Many):
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
        """Device types of these numbers for each manufacturer of these numbers; not every one has every kind of component."""
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


def fewest(diff: Diff, batch_size: int) -> int:
    """The fewest calls that could apply a diff."""
    numbers = Counter((element.type, element.action) for element, _ in walk(diff.get_children(), None))
    return sum(math.ceil(number / batch_size) for (_, action), number in numbers.items() if action is not None)


def device_types(manufacturers: int = 20) -> tuple[DeviceTypes, DeviceTypes]:
    """Return a source and a target that need creates, updates and deletes; 13,000 with 20 manufacturers."""
    half = manufacturers // 2
    source = DeviceTypes("source").fill(range(manufacturers), range(2 * manufacturers), "new")
    target = DeviceTypes("target").fill(range(half, 3 * half), range(manufacturers, 3 * manufacturers), "old")
    return source, target


class BulkRegistry(Registry):
    """A registry that counts its calls."""

    def __init__(self, name: str) -> None:
        super().__init__(name, LocalStore)
        self.calls: Counter[tuple[str, str]] = Counter()


def _counted(model: type[Any]) -> Any:
    hooks = {name: vars(Many)[name] for name in ("create_many", "update_many", "delete_many")}
    single = {name: vars(DiffSyncModel)[name] for name in ("create", "update", "delete")}
    return type(model.__name__, (model,), {**hooks, **single, "__module__": __name__})


BulkRegistry.country = _counted(Registry.country)
BulkRegistry.subdivision = _counted(Registry.subdivision)
BulkRegistry.airport = _counted(Registry.airport)


def airports() -> list[tuple[str, BulkRegistry, BulkRegistry]]:
    """Name, source and target: the first release into nothing, and the second one over the first."""
    old, new = releases()
    return [
        ("airports, a first load", BulkRegistry("source").read(old), BulkRegistry("target")),
        ("airports, release to release", BulkRegistry("source").read(new), BulkRegistry("target").read(old)),
    ]


def count(source: Any, target: Any, options: SyncOptions) -> tuple[int, int, int]:
    """Apply the difference; operations, calls made, and the fewest that could be."""
    diff = target.diff_from(source)
    least = fewest(diff, options.batch_size)
    result = Sync(diff, source, target, options).run()
    assert result.is_complete, result.counts()
    assert not target.diff_from(source).has_diffs()
    return result.applied, sum(target.calls.values()), least


def main(arguments: list[str] | None = None) -> None:
    """Print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manufacturers", type=int, nargs="?", default=20, help="of the device types")
    parser.add_argument(
        "--no-airports", action="store_true", help="leave out the airport registry, which is downloaded"
    )
    asked = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    shapes: list[tuple[str, Any, Any]] = [("device types", *device_types(asked.manufacturers))]
    if not asked.no_airports:
        shapes += airports()
    for name, source, target in shapes:
        operations, calls, least = count(source, target, SyncOptions(batch_size=BATCH_SIZE))
        print(f"{name}: {operations:,} operations in {calls} calls, minimum {least}: ratio {calls / least:.2f}")


if __name__ == "__main__":
    main()
