"""A rehearsal of a database names what a write refuses, and changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from diffsync_store import DiffSyncFlags
from diffsync_store.adapters.sql.batches import run_by_halves
from diffsync_store.adapters.sql.rehearsal import checking_deferred
from diffsync_store.diffs import RedisDiffs, SavedDiff
from diffsync_store.exceptions import CannotRehearse
from diffsync_store.mapping import ModelDefinition
from tests.adapters.sql.conftest import GIVEN, Make, apply, loaded, rows, run, source_of
from tests.adapters.sql.conftest import RECORDS as MAPPED

RECORDS = int(os.environ.get("REHEARSED_RECORDS", "300"))


@pytest.fixture
def diffs(redis_url: str) -> Iterator[RedisDiffs]:
    diffs = RedisDiffs(url=redis_url, ttl=600)
    yield diffs
    diffs.close()


def saved_diff(diffs: RedisDiffs, source: Any, target: Any) -> SavedDiff:
    return diffs.open(diffs.save(target.diff_from(source)))


def content(engine: sa.Engine) -> list[Any]:
    quoted = "`" if engine.dialect.name in {"mysql", "mariadb"} else '"'
    return [
        rows(engine, f"SELECT * FROM {quoted}{name}{quoted} ORDER BY 1, 2")
        for name in ("regions", "Sites", "racks", "devices")
    ]


def test_what_a_write_refuses_is_named_before_it_and_nothing_is_changed(
    inventory: sa.Engine, make: Make, diffs: RedisDiffs
) -> None:
    apply(source_of(GIVEN), loaded(make()))
    poisoned = {number for number in range(RECORDS) if number % 100 == 7}
    given: dict[str, list[dict[str, Any]]] = {
        "region": GIVEN["region"],
        "site": [*GIVEN["site"], {"name": "new", "region": "Norge"}],
        "rack": [
            *GIVEN["rack"],
            *({"site": "new", "name": f"k{n}", "units": -1 if n in poisoned else 9} for n in range(RECORDS)),
        ],
        "device": [
            {"name": "a", "site": "new", "rack": "k1", "serial": "S2"},
            {"name": "in k7", "site": "new", "rack": "k7"},
        ],
    }
    source, target = source_of(given), loaded(make())
    saved, before = saved_diff(diffs, source, target), content(inventory)
    found = saved.rehearse(target, flags=DiffSyncFlags.CONTINUE_ON_FAILURE)
    assert content(inventory) == before
    assert found.asks_target
    assert not found.result.stopped
    assert saved.journal().is_empty()
    named = {(each.model, each.unique_id) for each in found.result.rejects}
    assert {("rack", f"new__k{number}") for number in poisoned} <= named
    present = loaded(make())
    again = saved_diff(diffs, source, present)
    result = again.apply(source, present, flags=DiffSyncFlags.CONTINUE_ON_FAILURE)
    assert {(each.model, each.unique_id) for each in result.rejects} == named
    assert (result.created, result.updated, result.deleted) == (
        found.result.created,
        found.result.updated,
        found.result.deleted,
    )


def test_the_adapter_and_its_store_are_as_before(inventory: sa.Engine, make: Make, diffs: RedisDiffs) -> None:
    apply(source_of(GIVEN), loaded(make()))
    changed = {**GIVEN, "device": [{"name": "a", "serial": "S9"}, {"name": "fresh"}]}
    source, target = source_of(changed), loaded(make())
    saved = saved_diff(diffs, source, target)
    first = saved.rehearse(target)
    assert saved.rehearse(target) == first
    assert target.get("device", "a").serial == "S1"
    assert not saved.apply(source, target).rejects
    assert not loaded(make()).diff_from(source).has_diffs()


def test_a_rehearsal_ends_in_time(inventory: sa.Engine, make: Make, diffs: RedisDiffs) -> None:
    source, target = source_of(GIVEN), loaded(make())
    found = saved_diff(diffs, source, target).rehearse(target, seconds=0)
    assert "was ended after 0 s" in found.result.stopped
    assert [rows(inventory, "SELECT count(*) FROM regions")] == [[(0,)]]


PLAIN = {name: {"from": record["from"]} for name, record in MAPPED.items()}
"""Records in tables that can be created."""


@pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.server)], indirect=True
)
def test_tables_that_would_be_created_are_rehearsed_and_not_kept(
    engine: sa.Engine, make: Make, diffs: RedisDiffs
) -> None:
    given = {**GIVEN, "site": [*GIVEN["site"], {"name": "lost", "region": "nowhere"}]}
    source, target = source_of(given), loaded(make(PLAIN, create_tables=True))
    saved = saved_diff(diffs, source, target)
    first = saved.rehearse(target, flags=DiffSyncFlags.CONTINUE_ON_FAILURE)
    assert sa.inspect(engine).get_table_names() == []
    assert saved.rehearse(target, flags=DiffSyncFlags.CONTINUE_ON_FAILURE) == first
    result = saved.apply(source, target, flags=DiffSyncFlags.CONTINUE_ON_FAILURE)
    assert result.created == first.result.created
    assert [each.unique_id for each in result.rejects] == [each.unique_id for each in first.result.rejects] == ["lost"]


def test_tables_that_are_there_are_rehearsed_with_create_tables(
    engine: sa.Engine, make: Make, diffs: RedisDiffs
) -> None:
    source = source_of(GIVEN)
    apply(source, loaded(make(PLAIN, create_tables=True)))
    changed = source_of({**GIVEN, "region": [*GIVEN["region"], {"name": "more"}]})
    target = loaded(make(PLAIN, create_tables=True))
    found = saved_diff(diffs, changed, target).rehearse(target)
    assert (found.result.created, found.result.rejects) == (1, [])
    assert not loaded(make(PLAIN)).diff_from(source).has_diffs()


@pytest.mark.parametrize("database_url", [pytest.param("mariadb", marks=pytest.mark.server)], indirect=True)
def test_tables_that_would_be_created_and_kept_are_not_rehearsed(
    engine: sa.Engine, make: Make, diffs: RedisDiffs
) -> None:
    source, target = source_of(GIVEN), loaded(make(PLAIN, create_tables=True))
    with pytest.raises(CannotRehearse, match="cannot roll back the creation of tables"):
        saved_diff(diffs, source, target).rehearse(target)
    assert sa.inspect(engine).get_table_names() == []


@pytest.mark.parametrize("database_url", [pytest.param("mariadb", marks=pytest.mark.server)], indirect=True)
def test_a_table_without_transactions_is_not_rehearsed(engine: sa.Engine, make: Make, diffs: RedisDiffs) -> None:
    run(engine, "CREATE TABLE notes (name VARCHAR(50) PRIMARY KEY, text VARCHAR(50)) ENGINE = MyISAM")
    models = {"note": ModelDefinition.model_validate({"identifiers": {"name": "str"}, "attributes": {"text": "str?"}})}
    source, target = source_of({"note": [{"name": "a"}]}, models), loaded(make({"note": {"from": "notes"}}, models))
    with pytest.raises(CannotRehearse, match="'notes' has the engine MyISAM"):
        saved_diff(diffs, source, target).rehearse(target)
    assert rows(engine, "SELECT count(*) FROM notes") == [(0,)]


@pytest.mark.parametrize("database_url", [pytest.param("postgresql", marks=pytest.mark.server)], indirect=True)
def test_constraints_at_the_end_of_a_transaction_are_rehearsed(
    inventory: sa.Engine, make: Make, diffs: RedisDiffs
) -> None:
    run(
        inventory,
        'ALTER TABLE devices ADD CONSTRAINT once UNIQUE ("Serial No") DEFERRABLE INITIALLY DEFERRED',
    )
    given = {"device": [{"name": "a", "serial": "S"}, {"name": "b", "serial": "S"}]}
    source, target = source_of(given), loaded(make())
    found = saved_diff(diffs, source, target).rehearse(target, flags=DiffSyncFlags.CONTINUE_ON_FAILURE)
    assert [each.unique_id for each in found.result.rejects] == ["b"]
    assert rows(inventory, "SELECT count(*) FROM devices") == [(0,)]


def test_the_time_is_checked_before_each_statement() -> None:
    class Over(BaseException):
        pass

    left, written = iter([2.0, 1.0]), []

    def time_left() -> float:
        try:
            return next(left)
        except StopIteration:
            raise Over from None

    def refuse_two(_: sa.Connection, rows: Sequence[Any]) -> list[Any]:
        written.append(list(rows))
        if len(rows) > 1:
            raise ValueError
        return [None]

    engine = sa.create_engine("sqlite://", poolclass=sa.NullPool)
    with engine.connect() as connection, connection.begin(), pytest.raises(Over):
        run_by_halves(connection, checking_deferred(refuse_two, time_left), [1, 2], lambda _, error: error)
    assert written == [[1, 2], [1]]
