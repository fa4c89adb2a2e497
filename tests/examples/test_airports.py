"""The worked example: a file of airports → a database, by a project file without Python."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from diffsync_store import StoreState
from diffsync_store.project import Project
from tests.examples.conftest import Reconcile, loaded
from tests.flows.registry import airport

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


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(sa.text(statement))]
    engine.dispose()
    return found


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    kind = getattr(request, "param", "sqlite")
    if kind == "sqlite":
        return f"sqlite:///{tmp_path}/airports.db"
    found: str = request.getfixturevalue(f"{kind}_url")
    return found


@pytest.mark.parametrize(
    "database_url",
    ["sqlite", *(pytest.param(name, marks=pytest.mark.server) for name in ("postgres", "mariadb"))],
    indirect=True,
)
def test_a_database_follows_the_registry(reconcile: Reconcile, database_url: str) -> None:
    first, second = reconcile("airports-2024", FIRST), reconcile("airports-2026", SECOND)
    assert (first.created, first.failed) == (10, 0), first.rejects
    assert (second.created, second.updated, second.deleted, second.failed) == (6, 1, 6, 0), second.rejects
    assert rows(database_url, "SELECT country, subdivision, icao, name, city FROM airport ORDER BY icao, country") == [
        ("DE", "", "EDDF", "Zürich Airport", "Zürich"),
        ("CH", "", "LSGG", "Zürich Airport", "Genève"),
        ("CH", "Zug", "LSZB", "Bern 'Belp'; --", "Zürich"),
        ("CH", "Bern", "LSZH", "Zürich Airport", "Zürich"),
    ]
    assert rows(database_url, "SELECT code FROM country ORDER BY code") == [("CH",), ("DE",)]
    assert rows(database_url, "SELECT name FROM subdivision WHERE country = 'CH' ORDER BY name") == [
        ("",),
        ("Bern",),
        ("Zug",),
    ]
    again = reconcile("airports-2026", SECOND)
    assert sum(again.counts().values()) == 0


def test_an_airport_without_a_subdivision_is_in_the_one_with_an_empty_name(
    reconcile: Reconcile, project: Project
) -> None:
    reconcile("airports-2024", [airport("LSZH", subd="", city="")])
    registry = loaded(project, "registry-2024")
    assert registry.store.state is StoreState.COMPLETE
    assert registry.get("subdivision", {"country": "CH", "name": ""}).airport_children == ["CH____LSZH"]
    assert registry.get("airport", "CH____LSZH").city == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("38.7040222222222", "38.704022"),
        ("38.10405", "38.1040499"),
        ("-101.473911111111", "-101.473911"),
        ("0.00001", "-0.00001"),
    ],
)
def test_digits_beyond_the_precision_are_ignored(reconcile: Reconcile, one: str, other: str) -> None:
    reconcile("airports-2024", [airport("LSZH", lat=one, lon=other)])
    assert sum(reconcile("airports-2026", [airport("LSZH", lat=other, lon=one)]).counts().values()) == 0


def test_a_move_beyond_the_precision_is_a_change(reconcile: Reconcile) -> None:
    reconcile("airports-2024", [airport("LSZH", lat="38.7040")])
    assert reconcile("airports-2026", [airport("LSZH", lat="38.7042")]).updated == 1


def test_an_invalid_line_is_rejected_with_its_key(reconcile: Reconcile, project: Project) -> None:
    reconcile("airports-2024", [airport("LSZH"), airport("LSZB", lat="north")])
    registry = loaded(project, "registry-2024")
    assert registry.store.state is StoreState.PARTIAL
    assert [obj.icao for obj in registry.get_all("airport")] == ["LSZH"]
