"""A file declares models and ready adapters, and needs no class."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from traceback import format_exception

import httpx
import pytest
from pydantic import BaseModel, DirectoryPath, SecretStr

from diffsync_store import LocalStore
from diffsync_store.adapters import MappedAdapter
from diffsync_store.adapters.files import FilesAdapter
from diffsync_store.adapters.sql.errors import DatabaseUnavailable
from diffsync_store.lifecycle import opened
from diffsync_store.project import Project, find_problems
from diffsync_store.project.relative_paths import with_absolute_paths
from tests.project.conftest import Problems, Read

INVENTORY = """
models:
  site:
    identifiers: {name: str}
  device:
    identifiers: {name: str}
    attributes: {site: str, units: int}
    references: {site: site}
adapters:
  files:
    type: files
    settings: {folder: data}
    records:
      site: {from: sites.csv}
      device: {from: devices.csv, fields: {units: {path: height}}}
  database:
    type: sql
    settings: {url: "sqlite:///inventory.db"}
    records:
      site: {from: sites}
      device: {from: devices, fields: {site: site.name}, references: {site: site_id}}
syncs:
  inventory: {source: files, target: database}
"""

TABLES = """
CREATE TABLE sites (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL);
CREATE TABLE devices (
  id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, units INTEGER NOT NULL, site_id INTEGER NOT NULL REFERENCES sites(id)
);
"""


@pytest.fixture
def inventory(path: Path) -> Path:
    """Write the data beside the file; return the folder."""
    folder = path.parent
    (folder / "data").mkdir()
    (folder / "data/sites.csv").write_text("name\nzrh\nbrn\n")
    (folder / "data/devices.csv").write_text("name,site,height\nsw1,zrh,1\nsw2,brn,2\n")
    with closing(sqlite3.connect(folder / "inventory.db")) as connection:
        connection.executescript(TABLES)
    return folder


def test_a_file_without_classes_brings_a_database_in_line_with_files(read: Read, inventory: Path) -> None:
    project = read(INVENTORY)
    source, target = (project.make_adapter(name, LocalStore(name=name)) for name in ("files", "database"))
    source.load()
    target.load()
    target.sync_from(source)

    again = project.make_adapter("database", LocalStore(name="database"))
    again.load()
    assert [str(device) for device in again.get_all("device")] == ["sw1", "sw2"]
    assert not again.diff_from(source).has_diffs()
    target.close()  # type: ignore[attr-defined]
    again.close()  # type: ignore[attr-defined]


def test_both_sides_share_the_model_classes(read: Read, inventory: Path) -> None:
    project = read(INVENTORY)
    source, target = (project.make_adapter(name, LocalStore(name=name)) for name in ("files", "database"))
    assert source.device is target.device  # type: ignore[attr-defined]


def test_threads_get_the_same_model_classes(read: Read, inventory: Path) -> None:
    models = read(INVENTORY).factory.models
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: models.classes()["device"], range(32)))
    assert len(set(found)) == 1


def test_the_file_has_no_problem(problems: Problems, inventory: Path) -> None:
    assert problems(INVENTORY) == []


class RegistryFiles(FilesAdapter):
    """A subclass of a ready adapter."""


def test_a_subclass_of_a_ready_adapter_takes_records(read: Read, inventory: Path) -> None:
    project = read(INVENTORY.replace("type: files", f"class: {__name__}:RegistryFiles"))
    assert list(find_problems(project)) == []
    adapter = project.make_adapter("files", LocalStore(name="files"))
    adapter.load()
    assert isinstance(adapter, RegistryFiles)
    assert adapter.count("device") == 2


@pytest.mark.parametrize("folder", ["data", "./data", "../{name}/data"])
def test_a_relative_path_starts_at_the_folder_of_the_file(
    read: Read, inventory: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    project = read(INVENTORY.replace("folder: data", 'folder: "${FOLDER}"'), FOLDER=folder.format(name=inventory.name))
    adapter = project.make_adapter("files", LocalStore(name="files"))
    adapter.load()
    assert adapter.count() == 4


def test_a_path_stays_if_the_file_itself_is_named_relatively(
    inventory: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process may change its folder after it has read the file."""
    read(INVENTORY)
    monkeypatch.chdir(inventory)
    project = Project(Path("syncs.yaml"), {})
    adapter = project.make_adapter("database", LocalStore(name="database"))
    monkeypatch.chdir("/")
    adapter.load()
    assert adapter.count() == 0
    adapter.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///a.db", "sqlite:////srv/a.db"),
        ("sqlite+pysqlite:///b/a.db", "sqlite+pysqlite:////srv/b/a.db"),
        ("sqlite:////a.db", "sqlite:////a.db"),
        ("sqlite://", "sqlite://"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite:///file:a?mode=ro&uri=true", "sqlite:///file:a?mode=ro&uri=true"),
        ("postgresql://host/db", "postgresql://host/db"),
    ],
)
def test_the_file_of_a_sqlite_url_starts_at_the_folder_of_the_file(url: str, expected: str) -> None:
    class Settings(BaseModel):
        url: SecretStr

    assert with_absolute_paths(Settings, {"url": url}, Path("/srv")) == {"url": expected}


def test_paths_at_any_depth_are_absolute_and_other_texts_stay() -> None:
    class Tls(BaseModel):
        authority: Path | None = None
        verify: bool | Path = True

    class Settings(BaseModel):
        folder: DirectoryPath
        more: list[Path] = []
        tls: Tls = Tls()
        note: str = ""

    given = {
        "folder": "x",
        "more": ["a", "/b"],
        "tls": {"authority": "ca.pem", "verify": True},
        "note": "x",
        "other": 1,
    }
    expected = {
        "folder": "/srv/x",
        "more": ["/srv/a", "/b"],
        "tls": {"authority": "/srv/ca.pem", "verify": True},
        "note": "x",
        "other": 1,
    }
    assert with_absolute_paths(Settings, given, Path("/srv")) == expected


SECRET = """
models:
  site: {identifiers: {name: str}}
adapters:
  api:
    type: rest
    settings: {url: "http://127.0.0.1:9/", token: "${TOKEN}", attempts: 1, headers: {X-Site: "${SITE_KEY}"}}
    records: {site: {from: sites}}
  database:
    type: sql
    settings: {url: "postgresql+psycopg://ann:${DATABASE_PASSWORD}@127.0.0.1:9/x"}
    records: {site: {from: sites}}
"""
VALUES = {"TOKEN": "hunter22", "SITE_KEY": "in-a-header", "DATABASE_PASSWORD": "in-a-url"}


def load(adapter: MappedAdapter) -> None:
    """Load from a system that does not listen."""
    with opened(adapter):
        adapter.load()


@pytest.mark.parametrize(("name", "error"), [("api", httpx.ConnectError), ("database", DatabaseUnavailable)])
def test_no_error_repr_or_log_of_a_ready_adapter_has_a_secret(
    read: Read, name: str, error: type[Exception], caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    project = read(SECRET, **VALUES)
    adapter = project.make_adapter(name, LocalStore(name=name))
    assert isinstance(adapter, MappedAdapter)
    with pytest.raises(error) as caught, project.secrets.redacted_errors():
        load(adapter)
    shown = [
        repr(adapter),
        repr(adapter.settings),
        str(adapter.settings),
        repr(project.adapters),
        repr(project.declared),
    ]
    shown += [*format_exception(caught.value), caplog.text, *capsys.readouterr()]
    assert [value for value in VALUES.values() for text in shown if value in text] == []
    own = {"api": ["hunter22", "in-a-header"], "database": ["in-a-url"]}[name]
    assert set(project.secrets.redact(" ".join(own)).split()) == {"***"}


def test_no_problem_of_the_settings_of_a_ready_adapter_has_a_secret(problems: Problems) -> None:
    content = SECRET.replace("attempts: 1", "attempts: none, password: ['${TOKEN}'], paging: {kind: '${SITE_KEY}'}")
    content = content.replace("@127.0.0.1:9/x", '@127.0.0.1:9/x", rows_per_fetch: "${DATABASE_PASSWORD}')
    text = "\n".join(problems(content, **VALUES))
    assert "adapters.api.settings.attempts" in text
    assert [value for value in VALUES.values() if value in text] == []
