"""Every type of column, written and read again on each database."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from diffsync_store.mapping import ModelDefinition
from tests.adapters.sql.conftest import Make, apply, loaded, rows, run, source_of

VALUES: dict[str, tuple[str, Any]] = {
    "text": ("str?", 'Ærø\'s \\ "x" %s :y 🚀'),
    "blank": ("str?", "  two  "),
    "whole": ("int?", 2**40),
    "real": ("number?", 0.1),
    "exact": ("decimal?", Decimal("1234567890.0123")),
    "yes": ("bool?", True),
    "no": ("bool?", False),
    "day": ("date?", date(2024, 2, 29)),
    "clock": ("time?", time(23, 59, 1)),
    "span": ("duration?", timedelta(hours=30, seconds=1)),
    "moment": ("datetime?", datetime(2024, 2, 29, 12, 0, 1, tzinfo=UTC)),
    "data": ("json?", {"a": [1, None, "x"], "b": {"c": True}}),
    "tags": ("list[str]", ["b", "a", "Ø"]),
    "uuid": ("uuid?", UUID(int=7)),
    "ip": ("ip?", "10.0.0.1"),
    "interface": ("interface?", "10.0.0.1/24"),
    "network": ("network?", "2001:db8::/32"),
    "mac": ("mac?", "00:1b:44:11:3a:b7"),
}
MODEL = ModelDefinition.model_validate(
    {"identifiers": {"name": "str"}, "attributes": {name: kind for name, (kind, _) in VALUES.items()}}
)
COMMON = (
    "name VARCHAR(50) PRIMARY KEY, text TEXT, blank VARCHAR(20), whole BIGINT, real_ DOUBLE PRECISION, exact_ DECIMAL(20, 4), "
    "yes BOOLEAN, no_ BOOLEAN, day DATE, clock TIME"
)
SQL = {
    "sqlite": f"{COMMON}, span REAL, moment TIMESTAMP, data JSON, tags JSON, uuid CHAR(36), ip TEXT, interface TEXT, network TEXT, mac TEXT",
    "mariadb": f"{COMMON}, span TIME, moment DATETIME, data JSON, tags JSON, uuid UUID, ip INET4, interface VARCHAR(40), network VARCHAR(50), mac CHAR(17)",
    "postgresql": f"{COMMON}, span INTERVAL, moment TIMESTAMPTZ, data JSONB, tags TEXT[], uuid UUID, ip INET, interface INET, network CIDR, mac MACADDR",
}
FIELDS = {"real": "real_", "exact": "exact_", "no": "no_"}
RECORDS = {"value": {"from": "values_of_all_types", "fields": FIELDS}}


@pytest.fixture
def table(engine: sa.Engine) -> None:
    run(engine, f"CREATE TABLE values_of_all_types ({SQL[engine.dialect.name]})")


@pytest.mark.parametrize("is_created", [False, True], ids=["own table", "created table"])
def test_values_come_back_as_they_were_written(engine: sa.Engine, make: Make, is_created: bool) -> None:
    if not is_created:
        run(engine, f"CREATE TABLE values_of_all_types ({SQL[engine.dialect.name]})")
    full = {"name": "full", **{name: value for name, (_, value) in VALUES.items()}}
    source = source_of({"value": [full, {"name": "empty", "tags": []}]}, {"value": MODEL})
    target = make(RECORDS, {"value": MODEL}, create_tables=is_created)
    target.open()
    result = apply(source, loaded(target))
    assert (result.created, result.failed) == (2, 0), result.rejects
    again = loaded(make(RECORDS, {"value": MODEL}))
    assert not again.diff_from(source).has_diffs(), again.diff_from(source).str()
    assert again.get("value", "full").get_attrs() == {name: value for name, (_, value) in VALUES.items()}

    swapped = [{**full, "name": "empty"}, {"name": "full", "tags": []}]
    source = source_of({"value": swapped}, {"value": MODEL})
    result = apply(source, again)
    assert (result.updated, result.failed) == (2, 0), result.rejects
    assert not loaded(make(RECORDS, {"value": MODEL})).diff_from(source).has_diffs()


def test_null_is_null_in_a_json_column(table: None, engine: sa.Engine, make: Make) -> None:
    apply(source_of({"value": [{"name": "a", "tags": []}]}, {"value": MODEL}), loaded(make(RECORDS, {"value": MODEL})))
    assert rows(engine, "SELECT count(*) FROM values_of_all_types WHERE data IS NULL") == [(1,)]


def test_binary_columns_are_hexadecimal_text(engine: sa.Engine, make: Make) -> None:
    kind = {"postgresql": "BYTEA", "mariadb": "VARBINARY(20)", "sqlite": "BLOB"}[engine.dialect.name]
    run(engine, f"CREATE TABLE thing (name VARCHAR(20) PRIMARY KEY, content {kind})")
    model = ModelDefinition.model_validate({"identifiers": {"name": "str"}, "attributes": {"content": "str?"}})
    source = source_of({"value": [{"name": "a", "content": "00ff10"}, {"name": "b"}]}, {"value": model})
    assert apply(source, loaded(make({"value": {"from": "thing"}}, {"value": model}))).failed == 0
    assert not loaded(make({"value": {"from": "thing"}}, {"value": model})).diff_from(source).has_diffs()
    [[content]] = rows(engine, "SELECT content FROM thing WHERE name = 'a'")
    assert bytes(content) == b"\x00\xff\x10"


def test_columns_of_other_types_become_the_text_that_a_field_wants(table: None, engine: sa.Engine, make: Make) -> None:
    run(
        engine,
        "INSERT INTO values_of_all_types (name, whole, exact_, day, uuid, moment) VALUES "
        "('a', 5, 1.5, '2024-02-29', '00000000-0000-0000-0000-000000000007', '2024-02-29 12:00:00')",
    )
    fields = dict.fromkeys(("whole", "exact_", "day", "uuid"), "str?")
    model = ModelDefinition.model_validate({"identifiers": {"name": "str"}, "attributes": fields})
    adapter = loaded(make({"value": {"from": "values_of_all_types"}}, {"value": model}))
    assert adapter.get("value", "a").get_attrs() == {
        "whole": "5",
        "exact_": "1.5000",
        "day": "2024-02-29",
        "uuid": str(UUID(int=7)),
    }


def test_a_value_that_does_not_fit_its_column_is_refused_alone(table: None, engine: sa.Engine, make: Make) -> None:
    model = ModelDefinition.model_validate(
        {"identifiers": {"name": "str"}, "attributes": {"whole": "str?", "day": "str?"}}
    )
    given = [
        {"name": "a", "whole": "7", "day": "2024-01-01"},
        {"name": "b", "whole": "many"},
        {"name": "c", "day": "today"},
    ]
    records = {"value": {"from": "values_of_all_types"}}
    result = apply(source_of({"value": given}, {"value": model}), loaded(make(records, {"value": model})))
    assert (result.created, result.failed) == (1, 2)
    assert sorted(reject.reason.split(" does")[0] for reject in result.rejects) == [
        "The column 'day'",
        "The column 'whole'",
    ]


def test_a_secret_is_in_no_reason(engine: sa.Engine, make: Make) -> None:
    run(engine, "CREATE TABLE thing (name VARCHAR(20) PRIMARY KEY, token VARCHAR(20) UNIQUE)")
    run(engine, "INSERT INTO thing VALUES ('x', 'hunter22')")
    model = ModelDefinition.model_validate(
        {"identifiers": {"name": "str"}, "attributes": {"token": {"type": "str?", "secret": True}}}
    )
    target = loaded(make({"value": {"from": "thing"}}, {"value": model}))
    target.remove(target.get("value", "x"))
    result = apply(source_of({"value": [{"name": "a", "token": "hunter22"}]}, {"value": model}), target)
    assert result.failed == 1
    assert "hunter22" not in repr(result.rejects)


def test_a_path_leads_into_a_json_column(table: None, engine: sa.Engine, make: Make) -> None:
    run(
        engine,
        """INSERT INTO values_of_all_types (name, data) VALUES ('a', '{"rack": {"no": 4}, "ports": [{"n": 1}, {"n": 2}]}')""",
    )
    run(engine, "INSERT INTO values_of_all_types (name) VALUES ('b')")
    models = {
        "value": ModelDefinition.model_validate(
            {"identifiers": {"name": "str"}, "attributes": {"rack": "int?", "last": "int?"}, "children": ["port"]}
        ),
        "port": ModelDefinition.model_validate({"identifiers": {"value": "str", "number": "int"}}),
    }
    records: dict[str, Any] = {
        "value": {
            "from": "values_of_all_types",
            "fields": {"rack": "data.rack.no", "last": "length(data.ports || `[]`)"},
        },
        "port": {"from": "data.ports[]", "fields": {"value": "$parent.name", "number": "n"}},
    }
    if engine.dialect.name != "postgresql":  # where JSON is text, an expression cannot look into it
        del records["value"]["fields"]["last"], records["port"]
        models["value"] = ModelDefinition.model_validate(
            {"identifiers": {"name": "str"}, "attributes": {"rack": "int?"}}
        )
        del models["port"]
    adapter = loaded(make(records, models))
    assert {obj.name: obj.rack for obj in adapter.get_all("value")} == {"a": 4, "b": None}
    if "port" in models:
        assert [obj.number for obj in adapter.get_all("port")] == [1, 2]
