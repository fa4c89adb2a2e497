"""The airport registry as the worked example declares it, in own Python: country -> subdivision -> airport."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, DirectoryPath

from diffsync_store import Adapter, DiffSyncModel, DiffSyncModelFlags


def on_grid(degrees: float) -> float:
    """Round as the worked example does: four decimals, in two steps."""
    return round(round(degrees, 5), 4) + 0.0  # no -0.0


Degrees = Annotated[float, AfterValidator(on_grid)]


class Country(DiffSyncModel):
    """A country by its ISO 3166-1 alpha-2 code."""

    _modelname = "country"
    _identifiers = ("code",)
    _children = {"subdivision": "subdivisions"}

    model_flags: DiffSyncModelFlags = DiffSyncModelFlags.NATURAL_DELETION_ORDER
    code: str
    subdivisions: list[str] = []


class Subdivision(DiffSyncModel):
    """A state, region or province; the one named "" has the airports without a subdivision."""

    _modelname = "subdivision"
    _identifiers = ("country", "name")
    _shortname = ("name",)
    _children = {"airport": "airports"}

    model_flags: DiffSyncModelFlags = DiffSyncModelFlags.NATURAL_DELETION_ORDER
    country: str
    name: str
    airports: list[str] = []


class Airport(DiffSyncModel):
    """An airport by its place and its ICAO code, or the code that the registry uses instead."""

    _modelname = "airport"
    _identifiers = ("country", "subdivision", "icao")
    _shortname = ("icao",)
    _attributes = ("iata", "lid", "name", "city", "elevation", "lat", "lon", "tz")

    country: str
    subdivision: str
    icao: str
    iata: str
    lid: str
    name: str
    city: str
    elevation: float
    """Feet above sea level."""
    lat: Degrees
    lon: Degrees
    tz: str


class AirportsAdapter(Adapter):
    """Reads `airports.csv`; the registry is only a source."""

    class Settings(BaseModel, extra="forbid"):
        """Settings in the YAML file."""

        folder: DirectoryPath

    country = Country
    subdivision = Subdivision
    airport = Airport
    top_level = ["country"]

    def __init__(self, *, folder: Path, **options: Any) -> None:
        super().__init__(**options)
        self.file = folder / "airports.csv"

    def load(self) -> None:
        countries: dict[str, Country] = {}
        subdivisions: dict[tuple[str, str], Subdivision] = {}
        for airport in self._airports():
            place = airport.country, airport.subdivision
            if airport.country not in countries:
                countries[airport.country] = Country(code=airport.country)
                self.add(countries[airport.country])
            if place not in subdivisions:
                subdivisions[place] = Subdivision(country=airport.country, name=airport.subdivision)
                self.add(subdivisions[place])
                countries[airport.country].add_child(subdivisions[place])
            self.add(airport)
            subdivisions[place].add_child(airport)

    def _airports(self) -> Iterator[Airport]:
        with self.file.open(encoding="utf-8", newline="") as lines:
            for cells in csv.DictReader(lines):
                yield Airport.model_validate({**cells, "subdivision": cells["subd"]})
