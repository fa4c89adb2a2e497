"""Values that a column contains although neither its type nor Python's types expect them."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from diffsync_store import StoreState
from diffsync_store.mapping import ModelDefinition
from tests.adapters.sql.conftest import Make, apply, loaded, run, source_of

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.server)], indirect=True
)
on_mariadb = pytest.mark.parametrize("database_url", [pytest.param("mariadb", marks=pytest.mark.server)], indirect=True)

RECORDS: dict[str, Any] = {"thing": {}}


def thing(**attributes: str) -> dict[str, ModelDefinition]:
    return {"thing": ModelDefinition.model_validate({"identifiers": {"name": "str"}, "attributes": attributes})}


def create(engine: sa.Engine, kind: str, *values: str) -> None:
    """Create a table of things a, b, … with these values in the column `value`, written in SQL."""
    run(engine, f"CREATE TABLE thing (name VARCHAR(20) PRIMARY KEY, value {kind})")
    for name, value in zip("abcdefgh", values, strict=False):
        run(engine, f"INSERT INTO thing VALUES ('{name}', {value})")


def values_of(adapter: Any) -> dict[str, Any]:
    return {obj.name: obj.value for obj in adapter.get_all("thing")}


@on_sqlite
@pytest.mark.parametrize(
    ("kind", "field", "odd", "fine", "read"),
    [
        ("DATE", "date", "'02.01.2024'", "'2024-01-02T00:00:00Z'", date(2024, 1, 2)),
        ("DATE", "date", "2460311.5", "'2024-01-02'", date(2024, 1, 2)),
        ("DATETIME", "datetime", "1704164645", "'2024-01-02 03:04'", datetime(2024, 1, 2, 3, 4, tzinfo=UTC)),
        ("TIMESTAMP", "datetime", "''", "'2024-01-02T03:04:00Z'", datetime(2024, 1, 2, 3, 4, tzinfo=UTC)),
        ("TIME", "time", "0.5", "'03:04'", time(3, 4)),
        ("DECIMAL(10, 2)", "decimal", "'n/a'", "'1.5'", Decimal("1.50")),
        ("NUMERIC", "int", "x'00'", "1234567890123456789", 1234567890123456789),
        ("BOOLEAN", "bool", "'perhaps'", "'false'", False),
        ("JSON", "list[int]", "'[1'", "'[1]'", [1]),
        ("TEXT", "str", "CAST(x'ff41' AS TEXT)", "'x'", "x"),
        ("TEXT", "str", "x'ff41'", "12", "12"),
        ("INTEGER", "int", "'many'", "'12'", 12),
    ],
)
def test_a_value_that_a_column_of_sqlite_should_not_contain_rejects_its_record_only(
    engine: sa.Engine, make: Make, *, kind: str, field: str, odd: str, fine: str, read: Any
) -> None:
    create(engine, kind, odd, fine, "NULL")
    adapter = loaded(make(RECORDS, thing(value=f"{field}?")))
    assert values_of(adapter) == {"b": read, "c": None}
    assert adapter.store.state == StoreState.PARTIAL


@on_sqlite
def test_numbers_of_sqlite_keep_their_digits(engine: sa.Engine, make: Make) -> None:
    create(engine, "NUMERIC", "12", "0.12345678901234", "9007199254740993", "1e20")
    assert values_of(loaded(make(RECORDS, thing(value="decimal?")))) == {
        "a": Decimal(12),
        "b": Decimal("0.12345678901234"),
        "c": Decimal(9007199254740993),
        "d": Decimal("1e20"),
    }
    assert values_of(loaded(make(RECORDS, thing(value="str?"))))["a"] == "12"


@on_sqlite
def test_the_noise_of_a_float_is_not_beyond_the_decimals_of_its_column(engine: sa.Engine, make: Make) -> None:
    create(engine, "DECIMAL(10, 2)", "0.1 + 0.2", "0.125")
    found = values_of(loaded(make(RECORDS, thing(value="decimal?"))))
    assert {name: str(value) for name, value in found.items()} == {"a": "0.30", "b": "0.125"}


@on_sqlite
@pytest.mark.parametrize(
    ("kind", "field", "written"),
    [
        ("DATETIME", "int?", 1704164645),
        ("DATE", "number?", 2460311.5),
        ("BOOLEAN", "int?", 2),
        ("UUID", "uuid?", "12345678-1234-5678-1234-567812345678"),
        ("STRING", "str?", "abc"),
        ("DATETIME", "duration?", 90.5),
        ("TIME", "time?", "10:00:00+02:00"),
        ("NUMERIC", "decimal?", "1234567890123456789"),
        ("JSON", "json?", "text"),
    ],
)
def test_a_field_of_another_type_is_written_and_read_as_sqlite_keeps_it(
    engine: sa.Engine, make: Make, kind: str, field: str, written: Any
) -> None:
    create(engine, kind)
    models = thing(value=field)
    source = source_of({"thing": [{"name": "a", "value": written}, {"name": "b"}]}, models)
    result = apply(source, loaded(make(RECORDS, models)))
    assert (result.created, result.failed) == (2, 0), result.rejects
    again = loaded(make(RECORDS, models))
    assert not again.diff_from(source).has_diffs(), again.diff_from(source).str()


@on_sqlite
def test_a_row_is_changed_and_deleted_however_sqlite_keeps_its_key(engine: sa.Engine, make: Make) -> None:
    run(
        engine,
        "CREATE TABLE thing (moment DATETIME PRIMARY KEY, value TEXT)",
        "INSERT INTO thing VALUES ('2024-01-01T00:00:00Z', 'old'), ('2024-01-02 00:00:00', 'old'), ('2024-01-03 00:00', 'old')",
        "CREATE TABLE price (amount DECIMAL(5, 2) PRIMARY KEY, value TEXT)",
        "INSERT INTO price VALUES (1.1, 'old'), (9007199254740993, 'old'), (3, 'old')",
    )
    models = {
        "thing": ModelDefinition.model_validate(
            {"identifiers": {"moment": "datetime"}, "attributes": {"value": "str?"}}
        ),
        "price": ModelDefinition.model_validate(
            {"identifiers": {"amount": "decimal"}, "attributes": {"value": "str?"}}
        ),
    }
    given = {
        "thing": [{"moment": f"2024-01-0{day}T00:00:00Z", "value": "new"} for day in (1, 2)],
        "price": [{"amount": amount, "value": "new"} for amount in ("1.10", "9007199254740993.00")],
    }
    records: dict[str, Any] = {"thing": {}, "price": {}}
    source = source_of(given, models)
    result = apply(source, loaded(make(records, models)))
    assert (result.updated, result.deleted, result.failed) == (4, 2, 0), result.rejects
    assert not loaded(make(records, models)).diff_from(source).has_diffs()


@on_postgresql
@pytest.mark.parametrize(
    ("kind", "field", "odd", "fine"),
    [
        ("date", "date", "infinity", "2024-01-02"),
        ("date", "date", "0044-03-15 BC", "2024-01-02"),
        ("timestamp", "datetime", "-infinity", "2024-01-02"),
        ("timestamptz", "datetime", "infinity", "2024-01-02"),
        ("time", "time", "24:00:00", "10:00"),
        ("timetz", "time", "24:00:00+00", "10:00"),
        ("date[]", "list[date]", "{infinity}", "{2024-01-02}"),
    ],
)
def test_a_date_that_python_has_not_rejects_its_record_only(
    engine: sa.Engine, make: Make, *, kind: str, field: str, odd: str, fine: str
) -> None:
    create(engine, kind, f"'{odd}'", f"'{fine}'")
    adapter = loaded(make(RECORDS, thing(value=field)))
    assert list(values_of(adapter)) == ["b"]
    assert adapter.store.state == StoreState.PARTIAL
    if "[]" not in kind:
        assert values_of(loaded(make(RECORDS, thing(value="str?"))))["a"] == odd


@on_mariadb
def test_a_time_of_mariadb_is_a_duration_too(engine: sa.Engine, make: Make) -> None:
    create(engine, "TIME(6)", "'30:00:00'", "'-01:00:00'", "'10:00:00.5'", "NULL")
    adapter = loaded(make(RECORDS, thing(value="time?")))
    assert values_of(adapter) == {"c": time(10, 0, 0, 500000), "d": None}  # and not 06:00 for 30 hours
    assert adapter.store.state == StoreState.PARTIAL
    found = values_of(loaded(make(RECORDS, thing(value="duration?"))))
    assert found == {
        "a": timedelta(hours=30),
        "b": timedelta(hours=-1),
        "c": timedelta(hours=10, seconds=0.5),
        "d": None,
    }
    found = values_of(loaded(make(RECORDS, thing(value="str?"))))
    assert found == {"a": "30:00:00", "b": "-01:00:00", "c": "10:00:00.500000", "d": None}


@on_mariadb
def test_a_set_of_mariadb_is_a_list_in_its_order_or_a_text(engine: sa.Engine, make: Make) -> None:
    create(engine, "SET('a', 'b', 'c')", "'c,a'", "''", "NULL")
    assert values_of(loaded(make(RECORDS, thing(value="str?")))) == {"a": "a,c", "b": "", "c": None}
    models = thing(value="list[str]?")
    target = loaded(make(RECORDS, models))
    assert values_of(target) == {"a": ["a", "c"], "b": [], "c": None}
    given: list[dict[str, Any]] = [
        {"name": "a", "value": ["b", "c"]},
        {"name": "b", "value": ["a"]},
        {"name": "c", "value": []},
        {"name": "d"},
    ]
    source = source_of({"thing": given}, models)
    result = apply(source, target)
    assert (result.created, result.updated, result.failed) == (1, 3, 0), result.rejects
    assert not loaded(make(RECORDS, models)).diff_from(source).has_diffs()


@on_postgresql
def test_the_blanks_of_a_char_of_postgresql_do_not_count(engine: sa.Engine, make: Make) -> None:
    run(
        engine,
        "CREATE TABLE region (name CHAR(5) PRIMARY KEY)",
        "CREATE TABLE thing (name CHAR(9) PRIMARY KEY, region CHAR(5) REFERENCES region, data CHAR(9))",
        "INSERT INTO region VALUES ('eu')",
        "INSERT INTO thing VALUES ('old', 'eu', NULL), ('gone', 'eu', NULL)",
    )
    models = {
        "region": ModelDefinition.model_validate({"identifiers": {"name": "str"}}),
        "thing": ModelDefinition.model_validate(
            {
                "identifiers": {"name": "str"},
                "attributes": {"region": "str?", "data": "json?"},
                "references": {"region": "region"},
            }
        ),
    }
    records: dict[str, Any] = {"region": {"shard": "name"}, "thing": {"shard": "region"}}
    given: dict[str, list[dict[str, Any]]] = {
        "region": [{"name": "eu"}, {"name": "us"}],
        "thing": [{"name": "old", "region": "us", "data": [1]}, {"name": "new", "region": "eu"}],
    }
    source = source_of(given, models)
    result = apply(source, loaded(make(records, models)))
    assert (result.created, result.updated, result.deleted, result.failed) == (2, 1, 1, 0), result.rejects
    again = loaded(make(records, models))
    assert not again.diff_from(source).has_diffs(), again.diff_from(source).str()
    assert list(again.shard_values(again.mappers["region"])) == ["eu", "us"]
