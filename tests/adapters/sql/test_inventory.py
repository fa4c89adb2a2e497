"""Reading and writing tables with foreign keys on each database."""

from typing import Any

import pytest
import sqlalchemy as sa

from diffsync_store import StoreState
from diffsync_store.mapping import ModelDefinition
from tests.adapters.sql.conftest import GIVEN, MODELS, RECORDS, Make, apply, loaded, rows, run, source_of


def test_an_empty_database_is_filled_and_the_second_diff_is_empty(inventory: sa.Engine, make: Make) -> None:
    source = source_of(GIVEN)
    result = apply(source, loaded(make()), batch_size=1)
    assert (result.created, result.failed) == (9, 0), result.rejects
    again = loaded(make())
    assert again.store.state is StoreState.COMPLETE
    assert not again.diff_from(source).has_diffs(), again.diff_from(source).str()
    assert rows(inventory, "SELECT count(*) FROM devices WHERE rack_name IS NULL AND site_id IS NULL") == [(1,)]


def test_null_and_an_empty_text_stay_apart(inventory: sa.Engine, make: Make) -> None:
    apply(source_of(GIVEN), loaded(make()), batch_size=1)
    found = {obj.name: obj.serial for obj in loaded(make()).get_all("device")}
    assert found == {"a": "S1", "b": "", "loose": None}


def test_rows_are_changed_moved_to_other_rows_and_deleted(inventory: sa.Engine, make: Make) -> None:
    apply(source_of(GIVEN), loaded(make()), batch_size=1)
    changed: dict[str, list[dict[str, Any]]] = {
        **GIVEN,
        "region": [{"name": "Europe"}, {"name": "Norge", "parent": None}],
        "site": [{"name": "Tromsø", "region": "Europe"}, {"name": "nowhere", "region": "Norge"}],
        "device": [{"name": "a", "site": "nowhere", "rack": "r1", "serial": None}, {"name": "loose", "select": "?"}],
    }
    source = source_of(changed)
    result = apply(source, loaded(make()))
    assert (result.created, result.updated, result.deleted, result.failed) == (0, 5, 1, 0), result.rejects
    assert not loaded(make()).diff_from(source).has_diffs()


def test_what_is_referenced_is_deleted_after_what_refers_to_it(inventory: sa.Engine, make: Make) -> None:
    apply(source_of(GIVEN), loaded(make()), batch_size=1)
    result = apply(source_of({}), loaded(make()), batch_size=1)
    assert (result.deleted, result.failed) == (9, 0), result.rejects
    assert rows(inventory, "SELECT count(*) FROM regions") == [(0,)]


@pytest.mark.parametrize("batch_size", [1, 3, 200])
def test_a_bad_row_is_named_with_the_reason_and_the_others_are_written(
    inventory: sa.Engine, make: Make, batch_size: int
) -> None:
    given: dict[str, list[dict[str, Any]]] = {
        "site": [{"name": "s"}],
        "rack": [{"site": "s", "name": f"r{n}", "units": n - 3} for n in range(10)],
    }
    result = apply(source_of(given), loaded(make()), batch_size=batch_size)
    assert (result.created, result.failed) == (7, 4)
    assert rows(inventory, "SELECT count(*) FROM racks") == [(6,)]
    for reject in result.rejects:
        assert reject.reason
        assert "INSERT" not in reject.reason
        assert "constraint" in reject.reason.lower()


def test_ids_that_the_database_gives_belong_to_their_rows(inventory: sa.Engine, make: Make) -> None:
    names = [f"site {number * 7919 % 500:03}" for number in range(500)]
    target = loaded(make())
    result = apply(source_of({"site": [{"name": name} for name in names]}), target)
    assert result.created == 500
    ids = dict(
        rows(inventory, 'SELECT name, id FROM "Sites"' if '"' in _quoted(inventory) else "SELECT name, id FROM `Sites`")
    )
    assert {obj.name: obj.system_id for obj in target.get_all("site")} == {name: [ids[name]] for name in names}


def test_the_ids_of_a_batch_come_in_its_order(engine: sa.Engine, make: Make) -> None:
    number = {"postgresql": "SERIAL", "mariadb": "INTEGER AUTO_INCREMENT"}.get(engine.dialect.name, "INTEGER")
    run(engine, f"CREATE TABLE regions (id {number} PRIMARY KEY, name VARCHAR(9), parent_id INTEGER)")
    adapter = make({"region": {"from": "regions", "fields": {"parent": "parent_id"}}})
    statements: list[str] = []
    sa.event.listen(adapter.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
    keys = adapter.send_creates(adapter.mappers["region"], [{"name": name} for name in "dacb"])
    if engine.dialect.name != "sqlite":  # which does not tell the order of the ids
        assert sum("INSERT" in statement for statement in statements) == 1
    assert [(key, name) for name, key in rows(engine, "SELECT name, id FROM regions ORDER BY id")] == list(
        zip([key for [key] in keys], "dacb", strict=True)
    )


def test_a_row_that_vanished_is_refused_and_its_deletion_is_done(inventory: sa.Engine, make: Make) -> None:
    apply(source_of({"region": [{"name": name} for name in "abcd"]}), loaded(make()))
    target = loaded(make())
    run(inventory, "DELETE FROM regions WHERE name IN ('a', 'd')")
    changed = [{"name": "a", "parent": "b"}, {"name": "b"}, {"name": "c", "parent": "b"}]
    result = apply(source_of({"region": changed}), target)
    assert (result.updated, result.deleted, result.failed) == (1, 1, 1)
    [reject] = result.rejects
    assert "no longer has such a row" in reject.reason


def test_an_update_that_changes_nothing_in_the_row_is_done(inventory: sa.Engine, make: Make) -> None:
    apply(source_of({"region": [{"name": "a"}, {"name": "b", "parent": "a"}]}), loaded(make()), batch_size=1)
    target = loaded(make())
    run(inventory, "UPDATE regions SET parent_id = NULL")
    result = apply(source_of({"region": [{"name": "a"}, {"name": "b"}]}), target)
    assert (result.updated, result.failed) == (1, 0)


def test_a_create_is_refused_where_the_row_is_there_unless_upsert_is_set(inventory: sa.Engine, make: Make) -> None:
    given = source_of({"region": [{"name": "a"}, {"name": "b", "parent": "a"}]})
    refusing, changing = loaded(make()), loaded(make(upsert=True))
    run(inventory, "INSERT INTO regions (name) VALUES ('b')")
    result = apply(given, refusing, batch_size=1)
    assert (result.created, result.failed) == (1, 1)
    run(inventory, "DELETE FROM regions WHERE name = 'a'")
    result = apply(given, changing, batch_size=1)
    assert (result.created, result.failed) == (2, 0), result.rejects
    [[found]] = rows(inventory, "SELECT p.name FROM regions r JOIN regions p ON p.id = r.parent_id WHERE r.name = 'b'")
    assert found == "a"
    assert not loaded(make()).diff_from(given).has_diffs()


def test_upsert_finds_a_row_by_any_key_that_holds_for_all_rows(engine: sa.Engine, make: Make) -> None:
    number = {"mariadb": "AUTO_INCREMENT", "postgresql": "GENERATED BY DEFAULT AS IDENTITY", "sqlite": ""}[
        engine.dialect.name
    ]
    run(
        engine,
        f"CREATE TABLE thing (id INTEGER PRIMARY KEY {number}, name VARCHAR(50) NOT NULL UNIQUE, note VARCHAR(9))",
        "INSERT INTO thing (name, note) VALUES ('other', 'x'), ('a', 'old')",
    )
    if engine.dialect.name != "mariadb":
        run(engine, "CREATE UNIQUE INDEX a_part ON thing (note, name) WHERE note = 'unused'")
        run(engine, "CREATE UNIQUE INDEX an_expression ON thing (lower(name))")
    models = {"thing": ModelDefinition.model_validate({"identifiers": {"name": "str"}, "attributes": {"note": "str?"}})}
    target = make({"thing": {}}, models, upsert=True)  # it was not loaded, so it does not know the rows
    result = apply(source_of({"thing": [{"name": "a", "note": "new"}, {"name": "b"}]}, models), target)
    assert (result.created, result.failed) == (2, 0), result.rejects
    assert rows(engine, "SELECT name, note FROM thing ORDER BY name") == [("a", "new"), ("b", None), ("other", "x")]
    [[number]] = rows(engine, "SELECT id FROM thing WHERE name = 'a'")
    assert target.get("thing", "a").system_id == [number]


def test_records_are_found_by_their_identifiers(inventory: sa.Engine, make: Make) -> None:
    apply(source_of(GIVEN), loaded(make()), batch_size=1)
    adapter = make()
    found = adapter.look_up_records(
        adapter.models["rack"], [{"site": "nowhere", "name": "r1"}, {"site": "x", "name": "r1"}]
    )
    assert [each and each["units"] for each in found] == [10, None]


def test_many_records_are_found_in_parts(inventory: sa.Engine, make: Make) -> None:
    run(inventory, "INSERT INTO regions (name) VALUES ('a')")
    adapter = make()
    found = adapter.look_up_records(
        adapter.models["region"], [{"name": str(number)} for number in range(1000)] + [{"name": "a"}]
    )
    assert [number for number, each in enumerate(found) if each is not None] == [1000]


def test_a_query_is_read_and_not_written(inventory: sa.Engine, make: Make) -> None:
    apply(source_of(GIVEN), loaded(make()), batch_size=1)
    query = (
        "SELECT d.name, s.name AS site FROM devices d JOIN {} s ON s.id = d.site_id WHERE d.name <> ':x' -- or".format(
            inventory.dialect.identifier_preparer.quote("Sites")
        )
    )
    models = {"device": {"identifiers": {"name": "str"}, "attributes": {"site": "str?"}}}
    adapter = loaded(make({"device": {"from": query + "\n"}}, models))
    assert sorted((obj.name, obj.site) for obj in adapter.get_all("device")) == [("a", "Tromsø"), ("b", "nowhere")]
    result = apply(source_of({}, {name: _definition(each) for name, each in models.items()}), adapter)
    assert result.failed == 2
    assert "read by a query" in result.rejects[0].reason


def test_a_view_is_read_and_not_written(inventory: sa.Engine, make: Make) -> None:
    run(inventory, "INSERT INTO regions (name) VALUES ('a')", "CREATE VIEW lands AS SELECT name FROM regions")
    models = {"region": {"identifiers": {"name": "str"}}}
    adapter = loaded(make({"region": {"from": "lands"}}, models))
    assert [obj.name for obj in adapter.get_all("region")] == ["a"]
    result = apply(source_of({}, {name: _definition(each) for name, each in models.items()}), adapter)
    assert "no primary key" in result.rejects[0].reason


def test_all_models_are_read_from_one_state_of_the_database(inventory: sa.Engine, make: Make) -> None:
    """A rack whose site is created between the reads of both would be rejected."""
    run(inventory, "INSERT INTO regions (name) VALUES ('a')")
    adapter = make()
    read = adapter.read

    def read_and_change(mapper: Any) -> Any:
        yield from read(mapper)
        if mapper.model.get_type() == "region" and inventory.dialect.name != "sqlite":  # whose writers wait for readers
            run(inventory, "INSERT INTO regions (name) VALUES ('b')")
            adapter.expect("region", len(list(read(mapper))))

    adapter.read = read_and_change  # type: ignore[method-assign]
    assert [obj.name for obj in loaded(adapter).get_all("region")] == ["a"]
    assert adapter.store.state is StoreState.COMPLETE


def _definition(data: Any) -> Any:
    return type(MODELS["site"]).model_validate(data)


def _quoted(engine: sa.Engine) -> str:
    return engine.dialect.identifier_preparer.quote("Sites")


def test_the_declared_records_fit(make: Make) -> None:
    assert set(make().mappers) == set(RECORDS)
