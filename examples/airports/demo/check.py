"""Compare the database with the registry, with the standard library and plain SQL only.

All fields must be equal; coordinates may differ by less than 0.0001 degrees.
"""

import csv
import hashlib
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

# ruff: noqa: S608  (the statements contain constants and the file's own column names)

PLACE = "r.country = a.country AND r.subd = a.subdivision AND r.icao = a.icao"
QUESTIONS = {
    "airports in the registry": "SELECT count(*) FROM registry",
    "airports in the database": "SELECT count(*) FROM airport",
    "airports missing": f"SELECT count(*) FROM registry r LEFT JOIN airport a ON {PLACE} WHERE a.icao IS NULL",
    "airports extra": f"SELECT count(*) FROM airport a LEFT JOIN registry r ON {PLACE} WHERE r.icao IS NULL",
    "airports different": f"""
        SELECT count(*) FROM registry r JOIN airport a ON {PLACE}
        WHERE (r.iata, r.lid, r.name, r.city, r.tz) <> (a.iata, a.lid, a.name, a.city, a.tz)
           OR CAST(r.elevation AS REAL) <> a.elevation
           OR abs(CAST(r.lat AS REAL) - a.lat) >= 0.0001 OR abs(CAST(r.lon AS REAL) - a.lon) >= 0.0001""",
    "subdivisions missing": "SELECT count(*) FROM (SELECT country, subd FROM registry EXCEPT SELECT * FROM subdivision)",
    "subdivisions extra": "SELECT count(*) FROM (SELECT * FROM subdivision EXCEPT SELECT country, subd FROM registry)",
    "countries missing": "SELECT count(*) FROM (SELECT country FROM registry EXCEPT SELECT * FROM country)",
    "countries extra": "SELECT count(*) FROM (SELECT * FROM country EXCEPT SELECT country FROM registry)",
}
SIZES = ("airports in the registry", "airports in the database")


def compare(database: Path, registry: Path) -> dict[str, int]:
    """Return the answer to each question; all except the sizes are 0 if database and registry are equal."""
    with closing(sqlite3.connect(database)) as connection:
        with registry.open(encoding="utf-8-sig", newline="") as lines:
            header, *rows = csv.reader(lines)
        connection.execute(f"CREATE TEMP TABLE registry ({', '.join(f'{name} TEXT' for name in header)})")
        connection.executemany(f"INSERT INTO registry VALUES ({', '.join('?' * len(header))})", rows)
        connection.execute("CREATE INDEX registry_place ON registry (country, subd, icao)")
        return {question: connection.execute(sql).fetchone()[0] for question, sql in QUESTIONS.items()}


def is_equal(answers: Mapping[str, int]) -> bool:
    return all(answer == 0 for question, answer in answers.items() if question not in SIZES)


def changes(before: Path, after: Path) -> dict[str, int]:
    """Count the changes of airports between two files."""
    old, new = _places(before), _places(after)
    kept = old.keys() & new.keys()
    return {
        "added": len(new.keys() - old.keys()),
        "removed": len(old.keys() - new.keys()),
        "moved to another country or subdivision": sum(old[icao] != new[icao] for icao in kept),
    }


def fingerprint(database: Path) -> str:
    """Return a digest of the content."""
    with closing(sqlite3.connect(database)) as connection:
        return hashlib.sha256("\n".join(connection.iterdump()).encode()).hexdigest()


def _places(registry: Path) -> dict[str, tuple[str, str]]:
    with registry.open(encoding="utf-8-sig", newline="") as lines:
        return {row["icao"]: (row["country"], row["subd"]) for row in csv.DictReader(lines)}
