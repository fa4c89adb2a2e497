"""The airport registry that the PyPI package `airportsdata` ships as `airports.csv`, and its three models.

country -> subdivision -> airport, from any folder that holds the file.

Where an airport stands is part of its identifiers. One that changes its country or subdivision is deleted at the old
place and created at the new one, under two different identifiers, so the two operations may come in either order. An
airport identified by its ICAO code alone would be created while it still exists whenever the new place sorts first.

About 750 airports have no subdivision and a few no city: the registry leaves the field empty and so do the models. A
subdivision named "" holds the airports that stand directly in their country.

Coordinates have a stated precision, `COORDINATE_DECIMALS`. Between the releases of March 2024 and September 2026 they
differ for 27,064 of the 27,523 airports in both, 26,000 of those by less than a metre: one release was written with 13
decimals, the other with six. On the grid of four decimals (11 metres) 845 airports have moved; every move of more than
11 metres is among them (744 airports), and 49 moved less than a metre, across a line of the grid.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, DirectoryPath, ValidationError

from airports.csv_file import rows
from diffsync_store import Adapter, DiffSyncModel, DiffSyncModelFlags

COORDINATE_DECIMALS = 4
"""Decimals of a degree that count; 0.0001 degrees are at most 11 metres."""


def on_grid(degrees: float) -> float:
    """Round by way of one more decimal.

    38.10405 and 38.1040499 are the same place written by two releases; rounded at once, they come out 11 metres apart.
    """
    return round(round(degrees, COORDINATE_DECIMALS + 1), COORDINATE_DECIMALS) + 0.0  # no -0.0


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
    """A state, region or province; the one named "" holds the airports that the registry gives none."""

    _modelname = "subdivision"
    _identifiers = ("country", "name")
    _shortname = ("name",)
    _children = {"airport": "airports"}

    model_flags: DiffSyncModelFlags = DiffSyncModelFlags.NATURAL_DELETION_ORDER
    country: str
    name: str
    airports: list[str] = []


class Airport(DiffSyncModel):
    """An airport by its place and its ICAO code, or what the registry uses where there is none."""

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
    """Feet above the sea."""
    lat: Degrees
    lon: Degrees
    tz: str


class AirportsAdapter(Adapter):
    """Reads `airports.csv`; the registry is a source and is never written."""

    class Settings(BaseModel, extra="forbid"):
        """What the adapter takes in the YAML file."""

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
        if not countries:
            raise ValueError(f"{self.file} holds no airport: nothing was loaded. Is the file complete?")

    def _airports(self) -> Iterator[Airport]:
        for line, cells in rows(self.file):
            try:
                yield Airport.model_validate({**cells, "subdivision": cells.get("subd")})
            except ValidationError as error:
                raise ValueError(f"{self.file}:{line}: {_first_fault(error, cells)}") from error


def _first_fault(error: ValidationError, cells: Mapping[str, str]) -> str:
    fault = error.errors()[0]
    field = ".".join(map(str, fault["loc"]))
    column = "subd" if field == "subdivision" else field
    if column not in cells:
        return f"{field}: there is no column {column}; the first line names {', '.join(cells)}, which commas separate"
    return f"{field}: {fault['msg']}"
