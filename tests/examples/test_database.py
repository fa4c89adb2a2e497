import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from airports import database as sql
from airports.database import SqlAdapter, SqlAirport, SqlCountry, new_engine
from airports.registry import Airport, AirportsAdapter
from diffsync_store import DiffSyncFlags, DiffSyncModel, ObjectNotDeleted, ObjectNotUpdated
from tests.flows.registry import airport, write_registry

FIRST = [
    airport("LSZH"),
    airport("LSZB", subd="Bern"),
    airport("LSGG", subd="", city=""),
    airport("KJFK", country="US"),
]
SECOND = [
    airport("LSZH", subd="Bern"),
    airport("LSZB", subd="Zug", name="Bern 'Belp'; --"),
    airport("LSGG", subd="", city="Genève"),
    airport("EDDF", country="DE", subd=""),
]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.server)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'airports.db'}"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture
def database(url: str) -> Iterator[SqlAdapter]:
    adapter = SqlAdapter(name="database", url=url)
    adapter.open()
    yield adapter
    adapter.close()


def registry(folder: Path, airports: list[dict[str, str]]) -> AirportsAdapter:
    adapter = AirportsAdapter(name="registry", folder=write_registry(folder, airports))
    adapter.load()
    return adapter


def load_database(url: str) -> SqlAdapter:
    adapter = SqlAdapter(name="database", url=url)
    adapter.load()
    adapter.close()
    return adapter


def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    engine = new_engine(url)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]
    finally:
        engine.dispose()


@pytest.mark.slow
def test_an_empty_database_gets_its_tables_and_loads_nothing(url: str) -> None:
    assert len(load_database(url)) == 0
    assert rows(url, "SELECT * FROM airport") == []


def test_a_sync_writes_creates_updates_and_deletes_to_the_tables(
    url: str, tmp_path: Path, database: SqlAdapter
) -> None:
    database.sync_from(registry(tmp_path / "first", FIRST))
    database.sync_from(registry(tmp_path / "then", SECOND))
    assert rows(url, "SELECT country, subdivision, icao, name, city FROM airport ORDER BY icao, country") == [
        ("DE", "", "EDDF", "Zürich Airport", "Zürich"),
        ("CH", "", "LSGG", "Zürich Airport", "Genève"),
        ("CH", "Zug", "LSZB", "Bern 'Belp'; --", "Zürich"),
        ("CH", "Bern", "LSZH", "Zürich Airport", "Zürich"),
    ]
    assert rows(url, "SELECT code FROM country ORDER BY code") == [("CH",), ("DE",)]
    assert rows(url, "SELECT name FROM subdivision WHERE country = 'CH' ORDER BY name") == [("",), ("Bern",), ("Zug",)]


def test_written_rows_are_loaded_and_equal_the_source(url: str, tmp_path: Path, database: SqlAdapter) -> None:
    source = registry(tmp_path, SECOND)
    database.sync_from(source)
    again = load_database(url)
    assert again.diff_from(source).summary() == {"create": 0, "update": 0, "delete": 0, "no-change": 10, "skip": 0}
    assert all(found.lat == 47.4647 for found in again.get_all(Airport))


def test_each_operation_is_committed_immediately(url: str, tmp_path: Path, database: SqlAdapter) -> None:
    """So a killed process leaves no record that is in its store but not in its database."""
    SqlCountry.create(database, {"code": "CH"}, {})
    assert rows(url, "SELECT code FROM country") == [("CH",)]


def test_a_refused_row_does_not_stop_the_others(url: str, tmp_path: Path, database: SqlAdapter) -> None:
    source = registry(tmp_path, FIRST)
    database.execute(text("INSERT INTO country VALUES ('US')"), {})
    applied = database.sync_from(source, flags=DiffSyncFlags.CONTINUE_ON_FAILURE)
    assert applied.result is not None
    assert (applied.result.rejects[0].model, applied.result.rejects[0].unique_id) == ("country", "US")
    assert rows(url, "SELECT icao FROM airport ORDER BY icao") == [("LSGG",), ("LSZB",), ("LSZH",)]


def test_an_update_or_delete_of_a_missing_row_fails(url: str, tmp_path: Path, database: SqlAdapter) -> None:
    database.sync_from(registry(tmp_path, FIRST))
    found = database.get(SqlAirport, "CH__Zurich__LSZH")
    database.execute(text("DELETE FROM airport WHERE icao = 'LSZH'"), {})
    with pytest.raises(ObjectNotUpdated, match="LSZH"):
        found.update({"city": "Kloten"})
    with pytest.raises(ObjectNotDeleted, match="LSZH"):
        found.delete()


def test_subdivisions_are_deleted_before_their_country(url: str, tmp_path: Path, database: SqlAdapter) -> None:
    database.sync_from(registry(tmp_path, FIRST))
    with pytest.raises(IntegrityError):
        database.get(SqlCountry, "CH").delete()


def test_countries_and_subdivisions_without_airports_are_loaded(url: str, database: SqlAdapter) -> None:
    database.execute(text("INSERT INTO country VALUES ('CH'), ('DE')"), {})
    database.execute(text("INSERT INTO subdivision VALUES ('CH', 'Bern')"), {})
    assert sorted(load_database(url).dict()["country"]) == ["CH", "DE"]
    assert list(load_database(url).dict()["subdivision"]) == ["CH__Bern"]


def test_a_postgresql_url_uses_psycopg() -> None:
    for url in ("postgresql://somebody@nowhere/airports", "postgres://somebody@nowhere/airports"):
        assert new_engine(url).driver == "psycopg"


class NoStore(SqlAdapter):
    """Stores nothing, so that only the memory of the load itself is measured."""

    def add(self, obj: DiffSyncModel) -> None:
        pass


@pytest.mark.slow
def test_a_load_reads_the_tables_in_parts(url: str, database: SqlAdapter) -> None:
    subdivisions = [{"country": "CH", "name": f"{number}"} for number in range(5000)]
    engine = new_engine(url)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO country VALUES ('CH')"))
        connection.execute(sql.subdivision.insert(), subdivisions)
        connection.execute(sql.airport.insert(), [row_of(place) for place in subdivisions])
    engine.dispose()
    adapter = NoStore(url=url)
    tracemalloc.start()
    adapter.load()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000, "all of it at once is 6 MB"


def row_of(place: dict[str, str]) -> dict[str, object]:
    texts = dict.fromkeys(("iata", "lid", "city", "tz"), "x" * 50)
    numbers = dict.fromkeys(("elevation", "lat", "lon"), 1.0)
    return {**texts, **numbers, "name": "x" * 50, "icao": "ABCD", "country": "CH", "subdivision": place["name"]}


def test_lookup_returns_the_attributes_of_a_row(database: SqlAdapter, tmp_path: Path) -> None:
    database.sync_from(registry(tmp_path, FIRST))
    ids = {"country": "CH", "subdivision": "Bern", "icao": "LSZB"}
    assert SqlAirport.lookup(database, ids) == database.get(SqlAirport, ids).get_attrs()
    assert SqlAirport.lookup(database, {**ids, "icao": "XXXX"}) is None
    assert SqlCountry.lookup(database, {"code": "CH"}) == {}
