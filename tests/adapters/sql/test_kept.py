"""What the database does not keep as it was written is refused with a reason, and the other rows of the batch are written."""

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from diffsync_store.mapping import ModelDefinition
from tests.adapters.sql.conftest import ON_SERVERS, Make, apply, loaded, rows, run, source_of

RECORDS: dict[str, Any] = {"thing": {}}

TRIGGERS = {
    "sqlite": {
        "changes": [
            f"CREATE TRIGGER {event}_thing AFTER {event} ON thing WHEN NEW.value <> upper(NEW.value) "
            "BEGIN UPDATE thing SET value = upper(value) WHERE name = NEW.name; END"
            for event in ("INSERT", "UPDATE")
        ],
        "drops": [
            f"CREATE TRIGGER {event}_thing BEFORE {event} ON thing WHEN {row}.name <> 'fine' BEGIN SELECT RAISE(IGNORE); END"
            for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD"))
        ],
    },
    "mariadb": {
        "changes": [
            f"CREATE TRIGGER {event}_thing BEFORE {event} ON thing FOR EACH ROW SET NEW.value = upper(NEW.value)"
            for event in ("INSERT", "UPDATE")
        ],
    },
    "postgresql": {
        "changes": [
            (
                "CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS "
                "$$BEGIN NEW.value = upper(NEW.value); RETURN NEW; END$$"
            ),
            "CREATE TRIGGER change BEFORE INSERT OR UPDATE ON thing FOR EACH ROW EXECUTE FUNCTION change()",
        ],
        "drops": [
            (
                "CREATE FUNCTION dropped() RETURNS trigger LANGUAGE plpgsql AS "
                "$$BEGIN IF TG_OP = 'DELETE' AND OLD.name = 'fine' THEN RETURN OLD; END IF; "
                "IF TG_OP <> 'DELETE' AND NEW.name = 'fine' THEN RETURN NEW; END IF; RETURN NULL; END$$"
            ),
            "CREATE TRIGGER dropped BEFORE INSERT OR UPDATE OR DELETE ON thing FOR EACH ROW EXECUTE FUNCTION dropped()",
        ],
    },
}
SURROGATE = {
    "sqlite": "INTEGER PRIMARY KEY",
    "mariadb": "INTEGER AUTO_INCREMENT PRIMARY KEY",
    "postgresql": "INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
}


def thing(value: Any = "str?", **more: Any) -> dict[str, ModelDefinition]:
    return {
        "thing": ModelDefinition.model_validate(
            {"identifiers": {"name": "str"}, "attributes": {"value": value, **more}}
        )
    }


def create(engine: sa.Engine, kind: str = "VARCHAR(20)", key: str = "name VARCHAR(20) PRIMARY KEY") -> None:
    run(engine, f"CREATE TABLE thing ({key}, value {kind})")


def create_with(engine: sa.Engine, kind: str, *, has_number: bool) -> None:
    """Create the table with a name of this type, which is its primary key, or unique beside a number."""
    number = f"id {SURROGATE[engine.dialect.name]}, name {kind} UNIQUE"
    create(engine, key=number if has_number else f"name {kind} PRIMARY KEY")


def hook(engine: sa.Engine, what: str) -> None:
    with engine.begin() as connection:
        for statement in TRIGGERS[engine.dialect.name][what]:
            connection.exec_driver_sql(statement)


KINDS: dict[str, list[tuple[str, str, Any, Any]]] = {
    "sqlite": [
        ("REAL", "number?", float("nan"), 0.5),
        ("NUMERIC", "str?", "007", "7"),
        ("INTEGER", "str?", "1_0", "10"),
    ],
    "mariadb": [
        ("DATETIME", "datetime?", datetime(2024, 1, 2, 3, 4, 5, 678000, UTC), datetime(2024, 1, 2, 3, 4, 5, 0, UTC)),
        ("DECIMAL(6, 2)", "decimal?", "1.005", "1.50"),
        ("CHAR(5)", "str?", "ab ", "ab"),
        ("BINARY(2)", "str?", "61", "6162"),
        ("INTEGER", "duration?", 1.5, 2),
    ],
    "postgresql": [
        (
            "TIMESTAMP(0)",
            "datetime?",
            datetime(2024, 1, 2, 3, 4, 5, 678000, UTC),
            datetime(2024, 1, 2, 3, 4, 5, 0, UTC),
        ),
        ("NUMERIC(6, 2)", "decimal?", "1.005", "1.50"),
        ("REAL", "number?", 123456789.5, 0.1),
        ("TIME", "time?", "10:00:00+02:00", "10:00"),
        ("MONEY", "decimal?", "12.50", None),
        ("INT4RANGE", "str?", "[1,4]", "[1,5)"),
    ],
}


def test_a_value_that_the_column_changes_is_refused_alone(engine: sa.Engine, make: Make) -> None:
    for number, (kind, field, changed, fine) in enumerate(KINDS[engine.dialect.name]):
        table = f"thing_{number}"
        run(engine, f"CREATE TABLE {table} (name VARCHAR(20) PRIMARY KEY, value {kind})")
        models, records = thing(field), {"thing": {"from": table}}
        given = [{"name": name, "value": fine} for name in ("a", "b", "c", "d")]
        given[1]["value"] = changed
        result = apply(source_of({"thing": given}, models), loaded(make(records, models)))
        assert (result.created, result.failed) == (3, 1), (kind, result.rejects)
        [reject] = result.rejects
        assert reject.unique_id == "b"
        assert "the database keeps it" in reject.reason or "The column 'value' has" in reject.reason
        assert rows(engine, f"SELECT name FROM {table} ORDER BY name") == [("a",), ("c",), ("d",)]
        given[1]["value"], given[3]["value"] = fine, changed
        result = apply(source_of({"thing": given}, models), loaded(make(records, models)))
        assert (result.created, result.updated, result.failed) == (1, 0, 1), (kind, result.rejects)
        source = source_of({"thing": [*given[:3], {"name": "d", "value": fine}]}, models)
        assert not loaded(make(records, models)).diff_from(source).has_diffs()


@pytest.mark.parametrize("has_number", [False, True], ids=["key of the record", "number"])
def test_a_value_that_a_trigger_changes_is_refused(engine: sa.Engine, make: Make, *, has_number: bool) -> None:
    create_with(engine, "VARCHAR(20)", has_number=has_number)
    run(engine, "INSERT INTO thing (name, value) VALUES ('old', 'X')")
    hook(engine, "changes")
    models = thing()
    given = [{"name": "old", "value": "y"}, {"name": "new", "value": "y"}, {"name": "fine", "value": "Y"}]
    result = apply(source_of({"thing": given}, models), loaded(make(RECORDS, models)))
    assert (result.created, result.failed) == (1, 2)
    assert all("The column 'value' has 'Y' after 'y' was written" in reject.reason for reject in result.rejects)
    assert rows(engine, "SELECT name, value FROM thing ORDER BY name") == [("fine", "Y"), ("old", "X")]


@pytest.mark.parametrize("has_number", [False, True], ids=["key of the record", "number"])
@pytest.mark.parametrize("database_url", ["sqlite", ON_SERVERS[0]], indirect=True)  # a trigger of MariaDB cannot
def test_a_row_that_a_trigger_drops_or_keeps_is_refused(engine: sa.Engine, make: Make, *, has_number: bool) -> None:
    create_with(engine, "VARCHAR(20)", has_number=has_number)
    run(engine, "INSERT INTO thing (name, value) VALUES ('old', 'x'), ('gone', 'x')")
    hook(engine, "drops")
    models = thing()
    given = [{"name": name, "value": "y"} for name in ("old", "new", "fine")]
    result = apply(source_of({"thing": given}, models), loaded(make(RECORDS, models)))
    assert (result.created, result.updated, result.deleted, result.failed) == (1, 0, 0, 3)
    assert all("a trigger" in reject.reason for reject in result.rejects), result.rejects
    assert rows(engine, "SELECT name, value FROM thing ORDER BY name") == [("fine", "y"), ("gone", "x"), ("old", "x")]


def without_case(engine: sa.Engine, *, has_number: bool = False) -> None:
    """Create the table with a key that ignores the case."""
    if engine.dialect.name == "postgresql":
        run(engine, "CREATE EXTENSION citext")
    kind = {"sqlite": "TEXT COLLATE NOCASE", "mariadb": "VARCHAR(20)", "postgresql": "CITEXT"}[engine.dialect.name]
    create_with(engine, kind, has_number=has_number)


def test_two_records_that_are_one_for_the_database_do_not_overwrite_each_other(engine: sa.Engine, make: Make) -> None:
    without_case(engine)
    models = thing()
    given = [{"name": "Ams", "value": "1"}, {"name": "ams", "value": "2"}]
    result = apply(source_of({"thing": given}, models), loaded(make(RECORDS, models, upsert=True)))
    assert (result.created, result.failed) == (1, 1)
    assert "The column 'name' has 'Ams' after 'ams' was written" in result.rejects[0].reason
    assert rows(engine, "SELECT name, value FROM thing") == [("Ams", "1")]


@pytest.mark.parametrize("upsert", [False, True])
@pytest.mark.parametrize("has_number", [False, True], ids=["key of the record", "number"])
def test_a_row_stays_if_its_new_name_is_the_same_for_the_database(
    engine: sa.Engine, make: Make, *, has_number: bool, upsert: bool
) -> None:
    without_case(engine, has_number=has_number)
    run(engine, "INSERT INTO thing (name, value) VALUES ('AMS', '1'), ('gone', '2')")
    models = thing()
    target = loaded(make(RECORDS, models, upsert=upsert))
    result = apply(source_of({"thing": [{"name": "ams", "value": "1"}]}, models), target)
    assert (result.created, result.deleted, result.failed) == (0, 1, 2)
    assert any("The row stays, so that one of them is there" in reject.reason for reject in result.rejects)
    assert rows(engine, "SELECT name, value FROM thing") == [("AMS", "1")]


def test_what_is_equal_in_a_diff_or_filled_by_the_database_is_kept(engine: sa.Engine, make: Make) -> None:
    run(engine, "CREATE TABLE thing (name VARCHAR(20) PRIMARY KEY, value VARCHAR(20), note VARCHAR(20))")
    hook(engine, "changes")
    models = thing({"type": "str?", "compare": "ignore_case"})
    result = apply(source_of({"thing": [{"name": "a", "value": "y"}]}, models), loaded(make(RECORDS, models)))
    assert (result.created, result.failed) == (1, 0)
    models = thing({"type": "str?", "compare": "never"})
    result = apply(source_of({"thing": [{"name": "b", "value": "y"}]}, models), loaded(make(RECORDS, models)))
    assert (result.created, result.failed) == (1, 0)


def test_an_attribute_that_is_the_primary_key_is_changed(engine: sa.Engine, make: Make) -> None:
    create(engine, key="id INTEGER PRIMARY KEY, name VARCHAR(20)")
    run(engine, "INSERT INTO thing VALUES (1, 'a', 'x')")
    models = thing(id="int")
    source = source_of({"thing": [{"name": "a", "value": "x", "id": 7}]}, models)
    result = apply(source, loaded(make(RECORDS, models)))
    assert (result.updated, result.failed) == (1, 0), result.rejects
    assert not loaded(make(RECORDS, models)).diff_from(source).has_diffs()


def test_a_secret_that_is_changed_is_not_in_the_reason(engine: sa.Engine, make: Make) -> None:
    create(engine)
    hook(engine, "changes")
    models = thing({"type": "str?", "secret": True})
    result = apply(source_of({"thing": [{"name": "a", "value": "hunter22"}]}, models), loaded(make(RECORDS, models)))
    assert result.failed == 1
    assert "hunter" not in repr(result.rejects).lower()
    assert "has another value" in result.rejects[0].reason


def test_a_secret_that_does_not_fit_its_column_is_not_in_the_answer(engine: sa.Engine, make: Make) -> None:
    create(engine, "DATE")
    run(engine, "INSERT INTO thing (name) VALUES ('a')")
    target = loaded(make(RECORDS, thing({"type": "str?", "secret": True})))
    model, old = target.models["thing"], target.get("thing", "a")
    [created] = target.create_records(model, [({"name": "b"}, {"value": "hunter22"})])
    [updated] = target.update_records(model, [(old, {"value": "hunter22"})])
    for answer in (created, updated):
        assert isinstance(answer, Exception)
        assert "hunter22" not in str(answer)


def test_a_change_of_the_database_is_found_by_a_rehearsal(engine: sa.Engine, make: Make) -> None:
    create(engine)
    hook(engine, "changes")
    models = thing()
    target = loaded(make(RECORDS, models))
    with target.rehearsing():
        answers = target.create_records(target.models["thing"], [({"name": "a"}, {"value": "y"})])
    assert "'Y' after 'y' was written" in str(answers[0])
    assert rows(engine, "SELECT * FROM thing") == []
