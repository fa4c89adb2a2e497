import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from airports.demo import check
from tests.examples.conftest import Reconcile
from tests.flows.registry import airport, write_registry

AIRPORTS = [airport("LSZH"), airport("LSGG", subd="", lat="46.2380981", lon="-6.1089501")]


@pytest.fixture
def database(reconcile: Reconcile, tmp_path: Path) -> Path:
    reconcile("airports-2024", AIRPORTS)
    return tmp_path / "airports.db"


def compare_with(database: Path, airports: list[dict[str, str]]) -> dict[str, int]:
    answers = check.compare(database, write_registry(database.parent / "there", airports) / "airports.csv")
    return {question: answer for question, answer in answers.items() if answer and question not in check.SIZES}


def test_a_database_equals_the_registry_that_it_was_made_from(database: Path) -> None:
    assert compare_with(database, AIRPORTS) == {}


@pytest.mark.parametrize(
    ("airports", "answers"),
    [
        (AIRPORTS[:1], {"airports extra": 1, "subdivisions extra": 1}),
        (
            [*AIRPORTS, airport("KJFK", country="US")],
            {"airports missing": 1, "subdivisions missing": 1, "countries missing": 1},
        ),
        (
            [airport("LSZH", subd="Bern"), AIRPORTS[1]],
            {"airports missing": 1, "airports extra": 1, "subdivisions missing": 1, "subdivisions extra": 1},
        ),
        ([airport("LSZH", city="Kloten"), AIRPORTS[1]], {"airports different": 1}),
        ([airport("LSZH", elevation="1417"), AIRPORTS[1]], {"airports different": 1}),
        ([airport("LSZH", lat="47.4649"), AIRPORTS[1]], {"airports different": 1}),
    ],
)
def test_every_difference_is_found(database: Path, airports: list[dict[str, str]], answers: dict[str, int]) -> None:
    assert compare_with(database, airports) == answers


def test_changes_between_two_releases_are_counted(tmp_path: Path) -> None:
    before = write_registry(tmp_path / "before", [airport("A"), airport("B"), airport("C")])
    after = write_registry(tmp_path / "after", [airport("A"), airport("B", subd="Bern"), airport("D"), airport("E")])
    assert check.changes(before / "airports.csv", after / "airports.csv") == {
        "added": 2,
        "removed": 1,
        "moved to another country or subdivision": 1,
    }


def test_any_change_changes_the_fingerprint(database: Path) -> None:
    before = check.fingerprint(database)
    assert check.fingerprint(database) == before
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE airport SET city = 'Kloten' WHERE icao = 'LSZH'")
    assert check.fingerprint(database) != before
