"""An inventory in the databases that the adapter is tested on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from diffsync_store import Adapter, DiffSyncFlags, Sync, SyncOptions, SyncResult
from diffsync_store.adapters.mapped import MappedAdapter
from diffsync_store.adapters.sql import SqlAdapter
from diffsync_store.mapping import ModelDefinition

ON_SERVERS = [pytest.param(name, marks=pytest.mark.server) for name in ("postgresql", "mariadb")]

DEFINITIONS: dict[str, dict[str, Any]] = {
    "region": {
        "identifiers": {"name": "str"},
        "attributes": {"parent": "str?"},
        "references": {"parent": {"model": "region", "fields": {"name": "parent"}}},
    },
    "site": {
        "identifiers": {"name": "str"},
        "attributes": {"region": "str?"},
        "references": {"region": "region"},
    },
    "rack": {
        "identifiers": {"site": "str", "name": "str"},
        "attributes": {"units": "int"},
        "references": {"site": "site"},
    },
    "device": {
        "identifiers": {"name": "str"},
        "attributes": {"site": "str?", "rack": "str?", "serial": "str?", "select": "str?"},
        "references": {"rack": {"model": "rack", "fields": {"site": "site", "name": "rack"}}},
    },
}
MODELS = {name: ModelDefinition.model_validate(definition) for name, definition in DEFINITIONS.items()}
RECORDS: dict[str, dict[str, Any]] = {
    "region": {"from": "regions", "fields": {"parent": "parent.name"}},
    "site": {"from": "Sites", "fields": {"region": "region.name"}},
    "rack": {"from": "racks", "fields": {"site": "site.name"}},
    "device": {
        "from": "devices",
        "fields": {"site": "racks.site.name", "rack": "racks.name", "serial": '"Serial No"'},
        "references": {"rack": "racks"},
    },
}

metadata = sa.MetaData()
text = sa.String(100)
regions = sa.Table(
    "regions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", text, unique=True, nullable=False),
    sa.Column("parent_id", sa.ForeignKey("regions.id")),
)
sites = sa.Table(
    "Sites",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", text, unique=True, nullable=False),
    sa.Column("region_id", sa.ForeignKey("regions.id")),
)
racks = sa.Table(
    "racks",
    metadata,
    sa.Column("site_id", sa.ForeignKey("Sites.id"), primary_key=True),
    sa.Column("name", text, primary_key=True),
    sa.Column("units", sa.Integer, nullable=False),
    sa.CheckConstraint("units > 0"),
)
devices = sa.Table(
    "devices",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", text, unique=True, nullable=False),
    sa.Column("site_id", sa.Integer),
    sa.Column("rack_name", text),
    sa.Column("Serial No", text),
    sa.Column("select", text),
    sa.ForeignKeyConstraint(["site_id", "rack_name"], ["racks.site_id", "racks.name"]),
)


class Given(MappedAdapter):
    """A source whose records are given to it."""

    given: Mapping[str, Sequence[Mapping[str, Any]]] = {}

    def read(self, mapper: Any) -> Any:
        return self.given.get(mapper.model.get_type(), ())


on_servers = pytest.mark.parametrize("database_url", ON_SERVERS, indirect=True)


@pytest.fixture(params=["sqlite", *ON_SERVERS])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/inventory.db"
    url: str = request.getfixturevalue(f"{'postgres' if request.param == 'postgresql' else request.param}_url")
    return url


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def inventory(engine: sa.Engine) -> sa.Engine:
    """The tables, without rows."""
    metadata.create_all(engine)
    return engine


Make = Callable[..., SqlAdapter]


@pytest.fixture
def make(database_url: str) -> Iterator[Make]:
    """Makes adapters of the database, which are closed at the end."""
    made = []

    def make_one(records: Any = None, models: Any = None, **settings: Any) -> SqlAdapter:
        adapter = SqlAdapter({"url": database_url, **settings}, models or MODELS, records or RECORDS, name="database")
        made.append(adapter)
        return adapter

    yield make_one
    for adapter in made:
        adapter.close()


def loaded(adapter: Any) -> Any:
    with adapter.store.loading():
        adapter.load()
    return adapter


def source_of(given: Mapping[str, Sequence[Mapping[str, Any]]], models: Any = None) -> Adapter:
    models = models or MODELS
    source = Given({}, models, {model: {} for model in models}, name="source")
    source.given = given
    found: Adapter = loaded(source)
    return found


def apply(source: Adapter, target: Adapter, **options: Any) -> SyncResult:
    diff = target.diff_from(source)
    return Sync(diff, source, target, SyncOptions(**options), flags=DiffSyncFlags.CONTINUE_ON_FAILURE).run()


def rows(engine: sa.Engine, statement: str) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(statement))]


def run(engine: sa.Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


GIVEN: dict[str, list[dict[str, Any]]] = {
    "region": [{"name": "Europe"}, {"name": "Norge", "parent": "Europe"}],
    "site": [{"name": "Tromsø", "region": "Norge"}, {"name": "nowhere"}],
    "rack": [{"site": "Tromsø", "name": "r1", "units": 42}, {"site": "nowhere", "name": "r1", "units": 10}],
    "device": [
        {"name": "a", "site": "Tromsø", "rack": "r1", "serial": "S1", "select": "x"},
        {"name": "b", "site": "nowhere", "rack": "r1", "serial": ""},
        {"name": "loose"},
    ],
}
