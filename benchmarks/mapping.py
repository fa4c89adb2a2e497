"""What a declared mapping costs for each record, beyond an adapter that is written by hand for the same data."""

import gc
import logging
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import structlog

from diffsync_store import Adapter
from diffsync_store.adapters.mapped import MappedAdapter
from diffsync_store.adapters.model_classes import with_models
from diffsync_store.mapping import Mapper, ModelDefinition

RECORDS = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
ROUNDS = 5
MOST_MICROSECONDS = 5.0
ENOUGH = 20_000
"""With fewer records the times are too short to be compared."""
Data = dict[str, Any]


class Case:
    """The same records, read by a mapping and by hand."""

    def __init__(
        self,
        name: str,
        models: Data,
        records: Data,
        *,
        make: Callable[[int], Data],
        by_hand: Callable[[Any, Data], None],
        objects: int,
    ) -> None:
        self.name = name
        self.models = {key: ModelDefinition.model_validate(found) for key, found in models.items()}
        self.records = records
        self.data = [make(number) for number in range(RECORDS // objects)]
        self.by_hand = by_hand

    def mapped(self) -> Any:
        data = self.data

        class Mapped(MappedAdapter):
            id_key: ClassVar[str] = "id"

            def read(self, mapper: Mapper) -> Iterable[Data]:
                return data

        return Mapped({}, self.models, self.records)

    def hand_written(self) -> Any:
        by_hand, data, models = self.by_hand, self.data, self.mapped().models

        class ByHand(Adapter):
            def load(self) -> None:
                for record in data:
                    by_hand(self, record)

        return with_models(ByHand, models, [name for name in models if name != "interface"])()


NAMES = [f"field_{number}" for number in range(8)]


def flat(number: int) -> Data:
    return {
        "id": number,
        "name": f"device-{number}",
        "rack": number % 50,
        **{name: f"{name} of {number}" for name in NAMES},
    }


def flat_by_hand(adapter: Any, record: Data) -> None:
    fields = {name: record[name] for name in NAMES}
    adapter.add(adapter.device(name=record["name"], rack=record["rack"], system_id=record["id"], **fields))


def nested(number: int) -> Data:
    return {
        "id": number,
        "name": f"device-{number}",
        "site": {"name": "Oslo", "region": {"name": "Norway"}},
        "role": {"name": "leaf"},
        "status": {"value": "active", "label": "Active"},
        "type": {"model": "X1", "manufacturer": {"name": "Juniper"}},
        "serial": f" s{number} ",
        "comments": None,
        "rack": {"name": "r1"},
        "position": number % 40,
    }


def nested_by_hand(adapter: Any, record: Data) -> None:
    adapter.add(
        adapter.device(
            name=record["name"],
            system_id=record["id"],
            site=record["site"]["name"],
            region=record["site"]["region"]["name"],
            role=record["role"]["name"],
            status={"active": "Active", "planned": "Planned"}.get(record["status"]["value"]),
            model=record["type"]["model"],
            manufacturer=record["type"]["manufacturer"]["name"],
            serial=record["serial"].strip(),
            rack=record["rack"]["name"],
            position=record["position"],
        )
    )


PORTS = 24


def file_like(number: int) -> Data:
    ports = [{"name": f"ge-0/0/{port}", "type": "1000base-t", "mgmt_only": False} for port in range(PORTS)]
    return {"id": number, "model": f"X{number}", "manufacturer": "Juniper", "u_height": 1, "interfaces": ports}


def file_like_by_hand(adapter: Any, record: Data) -> None:
    kind = adapter.device_type(
        manufacturer=record["manufacturer"], model=record["model"], u_height=record["u_height"], system_id=record["id"]
    )
    adapter.add(kind)
    for port in record["interfaces"]:
        child = adapter.interface(
            manufacturer=kind.manufacturer,
            model=kind.model,
            name=port["name"],
            type=port["type"],
            mgmt_only=port["mgmt_only"],
        )
        adapter.add(child)
        kind.add_child(child)


CASES = [
    Case(
        "flat, 10 fields",
        {"device": {"identifiers": {"name": "str"}, "attributes": {"rack": "int?", **dict.fromkeys(NAMES, "str?")}}},
        {"device": {}},
        make=flat,
        by_hand=flat_by_hand,
        objects=1,
    ),
    Case(
        "nested, 10 fields",
        {
            "device": {
                "identifiers": {"name": "str"},
                "attributes": {
                    **dict.fromkeys(("site", "region", "role", "status", "model", "manufacturer", "serial", "rack"), "str?"),
                    "position": "int?",
                },
            }
        },
        {
            "device": {
                "fields": {
                    "site": "site.name",
                    "region": "site.region.name",
                    "role": "role.name",
                    "status": {"path": "status.value", "map": {"active": "Active", "planned": "Planned"}},
                    "model": "type.model",
                    "manufacturer": "type.manufacturer.name",
                    "serial": {"transforms": ["strip"]},
                    "rack": "rack.name",
                }
            }
        },
        make=nested,
        by_hand=nested_by_hand,
        objects=1,
    ),
    Case(
        f"a file with {PORTS} interfaces",
        {
            "device_type": {
                "identifiers": {"manufacturer": "str", "model": "str"},
                "attributes": {"u_height": "int?"},
                "children": ["interface"],
            },
            "interface": {
                "identifiers": {"manufacturer": "str", "model": "str", "name": "str"},
                "attributes": {"type": "str", "mgmt_only": "bool?"},
            },
        },
        {
            "device_type": {},
            "interface": {"from": "interfaces[]", "fields": {"manufacturer": "$parent.manufacturer", "model": "$parent.model"}},
        },
        make=file_like,
        by_hand=file_like_by_hand,
        objects=PORTS + 1,
    ),
]  # fmt: skip


def seconds(make: Callable[[], Any]) -> tuple[float, int]:
    """The CPU time of a load, and the number of its objects."""
    adapter = make()
    gc.collect()
    gc.disable()
    start = time.process_time()
    adapter.load()
    taken = time.process_time() - start
    gc.enable()
    return taken, len(adapter)


def measure(case: Case) -> float:
    """Print a line, and return what the mapping costs for a record, in microseconds."""
    rounds = [(seconds(case.mapped), seconds(case.hand_written)) for _ in range(ROUNDS)]
    mapped, objects = min(found for found, _ in rounds)
    by_hand, same = min(found for _, found in rounds)
    assert objects == same
    cost = (mapped - by_hand) / objects * 1e6
    print(
        f"{case.name:28} mapped {mapped / objects * 1e6:5.2f} µs   by hand {by_hand / objects * 1e6:5.2f} µs   "
        f"ratio {mapped / by_hand:4.2f}   difference {cost:5.2f} µs a record"
    )
    return cost


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    costs = [measure(case) for case in CASES]
    if max(costs) > MOST_MICROSECONDS and RECORDS >= ENOUGH:
        sys.exit(f"A mapping may cost {MOST_MICROSECONDS:g} µs a record.")


if __name__ == "__main__":
    main()
