"""Small registries of airports, as files like the real one."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

COLUMNS = ("icao", "iata", "name", "city", "subd", "country", "elevation", "lat", "lon", "tz", "lid")
ZURICH = {
    "icao": "LSZH",
    "iata": "ZRH",
    "name": "Zürich Airport",
    "city": "Zürich",
    "subd": "Zurich",
    "country": "CH",
    "elevation": "1416",
    "lat": "47.464699",
    "lon": "8.549166",
    "tz": "Europe/Zurich",
    "lid": "",
}


def airport(icao: str, **fields: str) -> dict[str, str]:
    return {**ZURICH, "icao": icao, **fields}


def write_registry(folder: Path, airports: Iterable[Mapping[str, str]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "airports.csv").open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS, quoting=csv.QUOTE_NONNUMERIC)
        writer.writeheader()
        writer.writerows(airports)
    return folder
