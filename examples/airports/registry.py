"""The airport registry, which is `airports.csv` in the PyPI package `airportsdata`, and its three models.

country -> subdivision -> airport

The identifiers of an airport contain its country and subdivision. An airport that changes them is deleted in the old place and
created in the new one. The two operations have different identifiers, so their order does not matter. If the ICAO code were the only
identifier, the airport would be created while it still exists whenever the new place sorts first.

About 750 airports have no subdivision, and a few no city: the registry and the models leave the field empty. The subdivision
named "" has the airports that are directly in their country.

Coordinates are compared with a precision of `COORDINATE_DECIMALS`. Between the releases of March 2024 and September 2026 they
differ for 27,064 of the 27,523 airports in both, but for 26,000 of these by less than a metre: one release has 13 decimals, the
other six. On the grid of four decimals (11 metres) 845 airports have moved. These include all 744 that moved more than 11 metres; 49 moved
less than a metre, across a line of the grid.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, DirectoryPath, ValidationError

from airports.csv_file import rows
from diffsync_store import Adapter, DiffSyncModel, DiffSyncModelFlags

COORDINATE_DECIMALS = 4
"""Decimals of a degree that are compared; 0.0001 degrees are at most 11 metres."""


def on_grid(degrees: float) -> float:
    """Round in two steps, first to one more decimal.

    Two releases give one place as 38.10405 and as 38.1040499. Rounded in one step, the two would be 11 metres apart.
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
        if not countries:
            raise ValueError(f"{self.file} has no airports. Check that the file is complete.")

    def _airports(self) -> Iterator[Airport]:
        for line, cells in rows(self.file):
            try:
                yield Airport.model_validate({**cells, "subdivision": cells.get("subd")})
            except ValidationError as error:
                raise ValueError(f"{self.file}:{line}: {_first_error(error, cells)}") from error


def _first_error(error: ValidationError, cells: Mapping[str, str]) -> str:
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    column = "subd" if field == "subdivision" else field
    if column not in cells:
        return f"{field}: no column {column}; the first line has {', '.join(cells)}. Separate columns with commas."
    return f"{field}: {first['msg']}"
