"""A random inventory whose system refuses what its references do not allow, and whose records refer to each other across the tree."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, Self

from diffsync_store import Adapter, BaseStore, LocalStore
from diffsync_store.diffs import RedisDiffs, SavedDiff
from diffsync_store.mapping.models import Reference
from tests.sync.conftest import Bench
from tests.sync.systems import Data, Seen, System

REFERENCES = {"site": [("part_of", "site")], "device": [("kind", "kind"), ("uplink", "device"), ("site", "site")]}
"""By model: fields and the models that they refer to."""


class Strict(System):
    """Refuses a create whose references do not exist, and a delete of what is referred to; takes its time to answer."""

    seconds: ClassVar[float] = 0.001

    def call_many(self, action: str, model: str, records: list[tuple[str, Data]]) -> None:
        super().call_many(action, model, records)
        time.sleep(self.seconds)

    def _do(self, connection: sqlite3.Connection, action: str, model: str, uid: str, attrs: Data) -> None:
        if action in {"create", "update"}:
            for field, other in REFERENCES.get(model, []):
                if attrs.get(field) and self._read(connection, other, attrs[field]) is None:
                    raise ValueError(f"{model} {uid}: there is no {other} {attrs[field]}")
        if action == "delete":
            for other, references in REFERENCES.items():
                for field, named in references:
                    query = f"SELECT uid FROM records WHERE model = ? AND json_extract(attrs, '$.{field}') = ?"
                    users = connection.execute(query, (other, uid)).fetchall() if named == model else []
                    if users:
                        raise ValueError(f"{other} {users[0][0]} refers to {model} {uid}")
        super()._do(connection, action, model, uid, attrs)

    def count(self, what: str) -> None:
        """Count something that is no call."""
        with closing(self._open()) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS counted (what)")
            connection.execute("INSERT INTO counted VALUES (?)", (what,))

    def counted(self, what: str) -> int:
        with closing(self._open()) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS counted (what)")
            return int(connection.execute("SELECT count(*) FROM counted WHERE what = ?", (what,)).fetchone()[0])


class Kind(Seen):
    _modelname = "kind"
    _identifiers = ("name",)
    _attributes = ("height",)

    name: str
    height: int = 1


class Site(Seen):
    _modelname = "site"
    _identifiers = ("name",)
    _attributes = ("part_of",)
    _children = {"device": "devices"}
    _references: ClassVar[dict[str, Reference]] = {"part_of": Reference(model="site", fields={"name": "part_of"})}

    name: str
    part_of: str = ""
    devices: list[str] = []


class Device(Seen):
    _modelname = "device"
    _identifiers = ("name",)
    _attributes = ("site", "kind", "uplink", "serial")
    _references: ClassVar[dict[str, Reference]] = {
        "kind": Reference(model="kind", fields={"name": "kind"}),
        "uplink": Reference(model="device", fields={"name": "uplink"}),
    }

    name: str
    site: str
    kind: str
    uplink: str = ""
    serial: int = 0


class MovingDevice(Device):
    def move(self, old: Site | None, new: Site | None, attrs: Data) -> Self:  # `site` is among the attributes
        self.adapter.system.call("move", "device", self.get_unique_id(), attrs)
        return self

    @classmethod
    def lookup_parent(cls, adapter: Any, ids: Data) -> str | None:
        found = adapter.system.read("device", cls.create_unique_id(**ids))
        return None if found is None else str(found["site"])


class Inventory(Adapter):
    kind = Kind
    site = Site
    device = Device
    top_level = ["kind", "site"]

    def __init__(
        self, name: str, store: BaseStore | type[BaseStore] = LocalStore, system: Strict | None = None
    ) -> None:
        super().__init__(name, store)
        self.system = system

    def put(self, records: dict[str, dict[str, Data]]) -> Self:
        for name, attrs in records["kind"].items():
            self.add(self.kind(name=name, **attrs))
        sites = {name: self.site(name=name, **attrs) for name, attrs in records["site"].items()}
        for site in sites.values():
            self.add(site)
        for name, attrs in records["device"].items():
            device = self.device(name=name, **attrs)
            self.add(device)
            sites[attrs["site"]].add_child(device)
        return self

    def sync_complete(self, *_: Any) -> None:
        assert self.system is not None
        self.system.count("sync_complete")


class MovingInventory(Inventory):
    device = MovingDevice


class InventoryBench(Bench):
    """Two random inventories in Redis, and the saved diff of the two."""

    def __init__(self, url: str, folder: Path, adapter: type[Inventory] = Inventory) -> None:
        super().__init__(url, folder)
        self.adapter = adapter
        self.system = Strict(folder / f"{self.name}.sqlite")

    def source(self) -> Inventory:  # type: ignore[override]
        return self.adapter("source", self.store("source"))

    def target(self) -> Inventory:  # type: ignore[override]
        assert isinstance(self.system, Strict)
        return self.adapter("target", self.store("target"), self.system)

    def prepare(self, dice: random.Random) -> SavedDiff:
        old, new = records(dice)
        for side, found in ((self.source(), new), (self.target(), old)):
            with side.store.loading():
                side.put(found)
            if side.system is not None:
                side.system.fill(side)
            side.store.close()
        self.diffs.compare(self.source(), self.target(), self.name)
        return self.saved()

    def new_process(self) -> tuple[SavedDiff, Inventory, Inventory]:
        """Return the diff and its two sides as a process that has just started opens them."""
        target = self.target()
        target.system = Strict(self.system.path)
        return RedisDiffs(url=self.url).open(self.name), self.source(), target

    def require_in_sync(self) -> None:
        source, target = self.source(), self.target()
        held = {
            (name, obj.get_unique_id()): json.loads(json.dumps(obj.get_attrs()))
            for name in ("kind", "site", "device")
            for obj in source.get_all(name)
        }
        assert self.system.records() == held
        diff = target.diff_from(source)
        assert not diff.has_diffs(), diff.str()


def records(dice: random.Random) -> tuple[dict[str, dict[str, Data]], dict[str, dict[str, Data]]]:
    """Return an old and a new inventory: some records are only in one of them, some changed, some devices move."""
    kinds = [f"k{number}" for number in range(dice.randint(2, 6))]
    sites = [f"s{number}" for number in range(dice.randint(3, 14))]
    devices = [f"d{number}" for number in range(dice.randint(10, 70))]
    kept = {*dice.sample(kinds, 1), *dice.sample(sites, 1)}
    fate = {name: dice.choice(["old", "new", "both", "both"]) for name in (*kinds, *sites, *devices)}
    fate |= dict.fromkeys(kept, "both")
    return tuple(_side(dice, kinds, sites, devices, fate, side) for side in ("old", "new"))  # type: ignore[return-value]


def _side(  # noqa: PLR0917
    dice: random.Random, kinds: list[str], sites: list[str], devices: list[str], fate: dict[str, str], side: str
) -> dict[str, dict[str, Data]]:
    def present(names: list[str]) -> list[str]:
        return [name for name in names if fate[name] in {side, "both"}]

    found: dict[str, dict[str, Data]] = {"kind": {}, "site": {}, "device": {}}
    found["kind"] = {name: {"height": dice.randint(1, 2)} for name in present(kinds)}
    placed: list[str] = []
    for name in dice.sample(present(sites), len(present(sites))):
        above = [other for other in placed if fate[other] == "both" or fate[name] == fate[other]]
        found["site"][name] = {"part_of": dice.choice([*above, ""])}
        placed.append(name)
    found["site"] = dict(sorted(found["site"].items()))
    done: list[str] = []
    for name in dice.sample(present(devices), len(present(devices))):
        is_stable = fate[name] == "both" and int(name[1:]) % 5
        site = _stable(sites, fate, int(name[1:])) if is_stable else dice.choice(list(found["site"]))
        others = [other for other in done if fate[other] == fate[name] != "both" or int(other[1:]) % 5]
        others = [other for other in others if fate[other] in {fate[name], "both"}]
        found["device"][name] = {
            "site": site,
            "kind": dice.choice([kind for kind in found["kind"] if fate[kind] in {fate[name], "both"}]),
            "uplink": dice.choice([*others, ""]) if fate[name] != "both" else "",
            "serial": dice.randint(1, 2),
        }
        done.append(name)
    found["device"] = dict(sorted(found["device"].items(), key=lambda item: int(item[0][1:])))
    return found


def _stable(sites: list[str], fate: dict[str, str], number: int) -> str:
    """Return the site of a device that stays there."""
    both = [name for name in sites if fate[name] == "both"]
    return both[number % len(both)]


def pause() -> None:
    """Stop this process until somebody continues it."""
    os.kill(os.getpid(), 19)
