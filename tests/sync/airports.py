"""The airport registry against a target that counts its calls: two releases, some 30,000 records."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

from airports.demo.releases import RELEASES, install_release
from diffsync_store import BaseStore, LocalStore
from diffsync_store.adapter import Adapter
from tests.sync.systems import Data, Seen, System

FOLDER = Path(__file__).parents[2] / "demo-output" / "releases"
"""Where the demo keeps them too: a release is fetched once."""


class Country(Seen):
    _modelname = "country"
    _identifiers = ("code",)
    _children = {"subdivision": "subdivisions"}

    code: str
    subdivisions: list[str] = []


class Subdivision(Seen):
    _modelname = "subdivision"
    _identifiers = ("country", "name")
    _children = {"airport": "airports"}

    country: str
    name: str
    airports: list[str] = []


class Airport(Seen):
    """By its code alone: one that changes its subdivision moves."""

    _modelname = "airport"
    _identifiers = ("icao",)
    _attributes = ("iata", "name", "city", "elevation", "place")

    icao: str
    iata: str
    name: str
    city: str
    elevation: str
    place: str
    """Of the subdivision, so that a look at the system's records shows where an airport stands."""


class MovingAirport(Airport):
    def move(self, old: Subdivision | None, new: Subdivision | None, attrs: Data) -> Self:
        self.adapter.system.call("move", "airport", self.get_unique_id(), attrs)
        return self

    @classmethod
    def lookup_parent(cls, adapter: Any, ids: Data) -> str | None:
        found = adapter.system.read("airport", cls.create_unique_id(**ids))
        return None if found is None else found["place"]


class BulkAirport(Airport):
    @classmethod
    def create_many(cls, adapter: Any, records: list[tuple[Data, Data]]) -> list[Airport]:
        adapter.system.call_many("create", "airport", [(cls.create_unique_id(**ids), attrs) for ids, attrs in records])
        return [cls(**ids, **attrs) for ids, attrs in records]

    @classmethod
    def delete_many(cls, adapter: Any, objects: list[Airport]) -> list[Airport]:
        adapter.system.call_many("delete", "airport", [(obj.get_unique_id(), {}) for obj in objects])
        return objects


class Registry(Adapter):
    country = Country
    subdivision = Subdivision
    airport = Airport
    top_level: ClassVar[list[str]] = ["country"]

    def __init__(
        self, name: str, store: BaseStore | type[BaseStore] = LocalStore, system: System | None = None
    ) -> None:
        super().__init__(name, store)
        self.system = system

    def read(self, release: Path) -> Self:
        countries: dict[str, Country] = {}
        subdivisions: dict[tuple[str, str], Subdivision] = {}
        for country, name, values in _rows(release):
            if country not in countries:
                countries[country] = self.country(code=country)
                self.add(countries[country])
            if (country, name) not in subdivisions:
                subdivision = subdivisions[country, name] = self.subdivision(country=country, name=name)
                self.add(subdivision)
                countries[country].add_child(subdivision)
            place = subdivisions[country, name].get_unique_id()
            airport = self.airport.model_validate({**values, "place": place})
            self.add(airport)
            subdivisions[country, name].add_child(airport)
        return self


class Moving(Registry):
    airport = MovingAirport


class Bulk(Registry):
    airport = BulkAirport


def _rows(release: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    with release.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            yield (
                row["country"],
                row["subd"],
                {name: row[name] for name in ("icao", "iata", "name", "city", "elevation")},
            )


def releases() -> tuple[Path, Path]:
    """The files of the two releases."""
    old, new = (install_release(version, FOLDER) for version in RELEASES)
    return old, new
