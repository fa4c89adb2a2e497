"""Names, keys and defaults of tables; what is missing; tables that are created."""

import re
from typing import Any

import pytest
import sqlalchemy as sa

from diffsync_store import StoreState
from diffsync_store.mapping import ModelDefinition
from tests.adapters.sql.conftest import MODELS, RECORDS, Make, apply, loaded, rows, run, source_of


def definition(identifiers: dict[str, Any], attributes: dict[str, Any] | None = None, **more: Any) -> ModelDefinition:
    return ModelDefinition.model_validate({"identifiers": identifiers, "attributes": attributes or {}, **more})


def created(engine: sa.Engine, name: str, *columns: Any) -> sa.Table:
    table = sa.Table(name, sa.MetaData(), *columns)
    table.create(engine)
    return table


@pytest.mark.parametrize("name", ["Order", "select", "Mixed Case", "Ærø", "semi;colon", "100%", "a:b"])
def test_tables_and_columns_may_have_any_name(engine: sa.Engine, make: Make, name: str) -> None:
    table = created(
        engine, name, sa.Column(f"{name} key", sa.String(20), primary_key=True), sa.Column("From", sa.String(20))
    )
    models = {"thing": definition({"key": "str"}, {"origin": "str?"})}
    records = {"thing": {"from": name, "fields": {"key": f'"{name} key"', "origin": "From"}}}
    source = source_of({"thing": [{"key": "a", "origin": "x"}, {"key": "b", "origin": "y"}]}, models)
    assert apply(source, loaded(make(records, models))).created == 2
    source = source_of({"thing": [{"key": "a", "origin": "z"}]}, models)
    result = apply(source, loaded(make(records, models)))
    assert (result.updated, result.deleted, result.failed) == (1, 1, 0), result.rejects
    with engine.connect() as connection:
        assert [tuple(row) for row in connection.execute(table.select())] == [("a", "z")]


def test_a_schema_stands_before_the_name_of_a_table(engine: sa.Engine, make: Make) -> None:
    if engine.dialect.name == "sqlite":
        schema = "main"
    elif engine.dialect.name == "mariadb":
        schema = str(engine.url.database)
    else:
        schema = "Other"
        run(engine, 'CREATE SCHEMA "Other"')
    metadata = sa.MetaData(schema=schema)
    sites = sa.Table("sites", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(9)))
    sa.Table(
        "racks",
        metadata,
        sa.Column("name", sa.String(9), primary_key=True),
        sa.Column("site_id", sa.ForeignKey(sites.c.id)),
    )
    metadata.create_all(engine)
    models = {
        "site": definition({"name": "str"}),
        "rack": definition({"name": "str"}, {"site": "str"}, references={"site": "site"}),
    }
    records = {
        "site": {"from": f"{schema}.sites"},
        "rack": {"from": f"{schema}.racks", "fields": {"site": "site.name"}},
    }
    source = source_of({"site": [{"name": "s"}], "rack": [{"name": "r", "site": "s"}]}, models)
    assert apply(source, loaded(make(records, models))).created == 2
    assert not loaded(make(records, models)).diff_from(source).has_diffs()


def test_a_reference_that_several_rows_fit_is_refused(engine: sa.Engine, make: Make) -> None:
    metadata = sa.MetaData()
    sites = sa.Table("sites", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(9)))
    sa.Table(
        "racks",
        metadata,
        sa.Column("name", sa.String(9), primary_key=True),
        sa.Column("site_id", sa.ForeignKey(sites.c.id)),
    )
    metadata.create_all(engine)
    run(engine, "INSERT INTO sites VALUES (1, 'twin'), (2, 'one'), (3, 'twin')")
    models = {
        "site": definition({"name": "str"}),
        "rack": definition({"name": "str"}, {"site": "str"}, references={"site": "site"}),
    }
    records = {
        "site": {"from": "sites", "lookup_only": True},
        "rack": {"from": "racks", "fields": {"site": "site.name"}},
    }
    source = source_of({"rack": [{"name": "a", "site": "one"}, {"name": "b", "site": "twin"}]}, models)
    result = apply(source, loaded(make(records, models)))
    assert (result.created, result.failed) == (1, 1)
    assert "The system has 2 records for the site 'twin'" in result.rejects[0].reason
    assert rows(engine, "SELECT name, site_id FROM racks") == [("a", 2)]


def test_a_table_without_a_primary_key_is_read_and_not_written(engine: sa.Engine, make: Make) -> None:
    run(engine, "CREATE TABLE thing (name VARCHAR(9))", "INSERT INTO thing VALUES ('a')")
    models = {"thing": definition({"name": "str"})}
    target = loaded(make({"thing": {}}, models))
    assert [obj.name for obj in target.get_all("thing")] == ["a"]
    result = apply(source_of({"thing": [{"name": "b"}]}, models), target)
    assert (result.created, result.deleted, result.failed) == (0, 0, 2)
    assert all("has no primary key" in reject.reason for reject in result.rejects)
    assert rows(engine, "SELECT name FROM thing") == [("a",)]


def test_columns_with_a_default_or_a_computed_value(engine: sa.Engine, make: Make) -> None:
    created(
        engine,
        "thing",
        sa.Column("name", sa.String(9), primary_key=True),
        sa.Column("state", sa.String(9), nullable=False, server_default="new"),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("twice", sa.Integer, sa.Computed("size * 2", persisted=True)),
    )
    models = {"thing": definition({"name": "str"}, {"size": "int", "twice": {"type": "int?", "compare": "never"}})}
    source = source_of({"thing": [{"name": "a", "size": 4}]}, models)
    refusing = loaded(make({"thing": {}}, {"thing": definition({"name": "str"}, {"size": "int", "twice": "int?"})}))
    result = apply(source, refusing)
    assert "read_only: true" in result.rejects[0].reason
    records = {"thing": {"fields": {"twice": {"read_only": True}}}}
    assert apply(source, loaded(make(records, models))).created == 1
    assert rows(engine, "SELECT name, state, size, twice FROM thing") == [("a", "new", 4, 8)]


def test_keys_of_any_type(engine: sa.Engine, make: Make) -> None:
    created(
        engine,
        "thing",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("code", sa.Numeric(6, 2), primary_key=True),
        sa.Column("uuid", sa.Uuid, primary_key=True),
        sa.Column("note", sa.String(9)),
    )
    models = {"thing": definition({"day": "date", "code": "decimal", "uuid": "uuid"}, {"note": "str?"})}
    key = {"day": "2024-02-29", "code": "1.50", "uuid": "0" * 31 + "7"}
    given = [{**key, "note": "x"}, {**key, "code": "2.00", "note": "y"}]
    assert apply(source_of({"thing": given}, models), loaded(make({"thing": {}}, models))).created == 2
    target = loaded(make({"thing": {}}, models))
    assert not target.diff_from(source_of({"thing": given}, models)).has_diffs()
    assert target.look_up_records(target.models["thing"], [target.get_all("thing")[0].get_identifiers()]) != [None]
    result = apply(source_of({"thing": [{**key, "note": "z"}]}, models), target)
    assert (result.updated, result.deleted, result.failed) == (1, 1, 0), result.rejects


# What is missing


def test_a_missing_table_is_named_with_those_that_are_there(inventory: sa.Engine, make: Make) -> None:
    adapter = make({"site": {"from": "sights"}})
    with pytest.raises(ValueError, match="`from` of 'site': The database has no table 'sights'") as error:
        adapter.open()
    assert "Its tables and views are: " in str(error.value)
    assert "regions" in str(error.value)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ({"site": {"from": "Sites", "fields": {"name": "nam"}}}, "Model 'site', field 'name': The table 'Sites' has no column 'nam'. Did you mean 'name'?"),
        ({"site": {"from": "Sites"}}, "Model 'site', field 'region': The table 'Sites' has no column 'region'. Did you mean 'region_id'?"),
        ({"site": {"from": "Sites", "fields": {"region": "land.name"}}}, "has no foreign key 'land' for the path 'land.name'. Its foreign keys are: region_id → regions."),
        ({"site": {"from": "Sites", "fields": {"region": "region.title"}}}, "Model 'site', field 'region': The table 'regions' has no column 'title'"),
        ({"site": {"from": "Sites", "fields": {"region": "region.name"}, "references": {"region": "nowhere"}}}, "has no foreign key 'nowhere'"),
        ({"region": {"from": "SELECT id FROM regions"}}, "Model 'region', field 'name': The query has no column 'name'"),
    ],
)  # fmt: skip
def test_a_field_without_a_column_is_found_when_the_adapter_opens(
    inventory: sa.Engine, make: Make, records: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make(records).open()


def test_a_table_that_changed_is_seen_when_the_adapter_opens_again(inventory: sa.Engine, make: Make) -> None:
    adapter = make()
    adapter.open()
    adapter.close()
    run(
        inventory, "ALTER TABLE devices DROP COLUMN {}".format(inventory.dialect.identifier_preparer.quote("Serial No"))
    )
    with pytest.raises(ValueError, match="Serial No"):
        adapter.open()


def test_a_record_that_does_not_fit_is_rejected_and_the_others_are_loaded(inventory: sa.Engine, make: Make) -> None:
    run(inventory, "INSERT INTO regions (name) VALUES ('a')", "INSERT INTO regions (name) VALUES ('bbbb')")
    models = {"region": definition({"name": {"type": "str", "choices": ["a"]}})}
    adapter = loaded(make({"region": {"from": "regions"}}, models))
    assert adapter.store.state is StoreState.PARTIAL
    assert [obj.name for obj in adapter.get_all("region")] == ["a"]


# Tables that are created


def test_missing_tables_are_created_and_keep_the_references(engine: sa.Engine, make: Make) -> None:
    plain = {name: {"from": record["from"]} for name, record in RECORDS.items()}
    target = make(plain, create_tables=True)
    target.open()
    given = {"region": [{"name": "a"}, {"name": "A"}, {"name": "a "}], "site": [{"name": "s", "region": "a "}]}
    assert loaded(target).store.state is StoreState.COMPLETE
    assert loaded(target).diff_from(source_of(given)).summary()["create"] == 4
    assert sa.inspect(engine).get_table_names() == []  # nothing is created before the first write
    assert apply(source_of(given), loaded(target)).created == 4
    assert set(sa.inspect(engine).get_table_names()) == {"regions", "Sites", "racks", "devices"}
    assert sa.inspect(engine).get_foreign_keys("racks")[0]["referred_table"] == "Sites"
    target.open()
    assert not loaded(make(plain)).diff_from(source_of(given)).has_diffs()


def test_existing_tables_are_not_altered(inventory: sa.Engine, make: Make) -> None:
    before = sa.inspect(inventory).get_columns("racks")
    make(create_tables=True).open()
    assert repr(sa.inspect(inventory).get_columns("racks")) == repr(before)


def test_a_table_whose_columns_are_not_known_is_not_created(make: Make) -> None:
    with pytest.raises(ValueError, match="cannot be created: the field 'region' of 'site' has no column"):
        make(
            {"site": RECORDS["site"]},
            {"site": MODELS["site"].model_copy(update={"references": {}})},
            create_tables=True,
        ).open()
