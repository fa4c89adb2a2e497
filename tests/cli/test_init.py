"""`diffsync-store init`: from two systems to a file that works."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from diffsync_store import LocalStore
from diffsync_store.cli.commands import app
from diffsync_store.project import Project, find_problems

CSV = "name,site,serial,colour\nsw1,Oslo,A1,red\nsw2,Oslo,,blue\n"
TABLES = """
create table site (id integer primary key, name text not null unique);
create table device (id integer primary key, name text not null unique, serial text, site_id integer not null references site (id));
insert into site (name) values ('Oslo');
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "devices.csv").write_text(CSV)
    with closing(sqlite3.connect(tmp_path / "inventory.db")) as connection:
        connection.executescript(TABLES)
    return tmp_path


def init(*arguments: str, answers: str = "") -> Result:
    return CliRunner().invoke(app, ["init", *arguments], input=answers)


def database(folder: Path) -> str:
    return f"sqlite:///{folder / 'inventory.db'}"


def applied(file: Path) -> dict[str, int]:
    project = Project(file, {})
    [sync] = project.syncs.values()
    adapters: list[Any] = [project.make_adapter(name, LocalStore()) for name in (sync.source, sync.target)]
    for adapter in adapters:
        with adapter.store.loading():
            adapter.load()
    source, target = adapters
    summary: dict[str, int] = target.diff_from(source).summary()
    target.sync_from(source)
    return summary


def test_the_file_passes_check_and_brings_the_systems_in_sync(folder: Path) -> None:
    result = init("--source", "data", "--target", database(folder), "--yes")
    assert result.exit_code == 0, result.output
    file = folder / "syncs.yaml"
    assert list(find_problems(Project(file, {}))) == []
    assert yaml.safe_load(file.read_text())["models"]["device"]["attributes"]["serial"]["type"] == "str?"
    assert applied(file)["create"] == 2
    assert {key: number for key, number in applied(file).items() if number} == {"no-change": 2}


def test_it_tells_the_files_what_to_decide_and_the_next_commands(folder: Path) -> None:
    output = init("--source", "data", "--target", database(folder), "--yes").stdout
    assert "wrote syncs.yaml\nwrote prefect.yaml\n" in output
    assert "decide: device: the target has no field for colour." in output
    assert output.endswith("  diffsync-store plan files-to-sql\n  diffsync-store apply files-to-sql\n")


def test_json(folder: Path) -> None:
    result = init("--source", "data", "--target", database(folder), "--yes", "--json")
    found = json.loads(result.stdout)
    assert found["written"] == ["syncs.yaml", "prefect.yaml"]
    assert (found["variables"], found["problems"]) == ({}, [])
    assert found["next"][-1] == "diffsync-store apply files-to-sql"


def test_questions(folder: Path) -> None:
    result = init(answers=f"data/devices.csv\n{database(folder)}\n")
    assert result.exit_code == 0, result.output
    assert "Source, the source of truth (folder, file, database URL or web address):" in result.stderr
    assert applied(folder / "syncs.yaml")["create"] == 2


def test_a_required_field_that_the_source_lacks_is_asked_for(folder: Path) -> None:
    (folder / "data" / "devices.csv").write_text("name,serial\nsw1,A1\n")
    result = init("--source", "data", "--target", database(folder), answers="Oslo\n")
    assert (
        "The target requires device.site, which the source does not have. Value for all records (empty: decide later):"
        in result.stderr
    )
    assert applied(folder / "syncs.yaml")["create"] == 1
    with closing(sqlite3.connect(folder / "inventory.db")) as connection:
        assert connection.execute("select site_id from device").fetchall() == [(1,)]


def test_records_of_different_names_are_named(folder: Path) -> None:
    (folder / "data" / "devices.csv").rename(folder / "data" / "boxes.csv")
    target = database(folder)
    refused = init("--source", "data", "--target", target, "--yes")
    assert refused.exit_code == 1
    assert refused.stderr.endswith(
        "Name them: --records SOURCE=TARGET. The source has boxes. The target has device, site.\n"
    )
    assert init("--source", "data", "--target", target, "--records", "boxes=device", "--yes").exit_code == 0


def test_records_that_are_not_synced_are_named(folder: Path) -> None:
    (folder / "data" / "colours.csv").write_text("name\nred\n")
    output = init("--source", "data", "--target", database(folder), "--yes").stdout
    assert "decide: Not synced: colours of the source." in output
    assert "`--records colours=TARGET`" in (folder / "syncs.yaml").read_text()


def test_an_empty_folder_gets_files(folder: Path) -> None:
    (folder / "empty").mkdir()
    result = init("--source", "data", "--target", "empty", "--yes")
    assert result.exit_code == 0, result.output
    assert applied(folder / "syncs.yaml")["create"] == 2
    assert (folder / "empty" / "device.csv").read_text() == CSV
    assert {key: number for key, number in applied(folder / "syncs.yaml").items() if number} == {"no-change": 2}


def test_nobody_answers(folder: Path) -> None:
    result = init("--source", "data")
    assert (result.exit_code, "add --yes" in result.stderr) == (2, True)
    assert not (folder / "syncs.yaml").exists()


def test_existing_files_are_kept(folder: Path) -> None:
    (folder / "syncs.yaml").write_text("mine")
    result = init("--source", "data", "--target", database(folder), "--yes")
    assert result.exit_code == 1
    assert "exists already. Nothing was written." in result.stderr
    assert (folder / "syncs.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere", "nowhere: there is no such file or folder. Give a path, a database URL, or a web address."),
        ("ldap://x", "There is no ready adapter for ldap://. Give a folder, a file, or one of sqlite://,"),
        ("https://user:hunter2@127.0.0.1:1/", "Remove the password from the web address."),
        ("http://127.0.0.1:1/", "http://127.0.0.1:1 cannot be reached:"),
        ("postgresql://u:hunter2@127.0.0.1:1/db", "source: "),
        ("no.such_module:records", "no"),
    ],
)
def test_systems_that_cannot_be_used(folder: Path, source: str, message: str) -> None:
    result = init("--source", source, "--target", database(folder), "--yes")
    assert result.exit_code == 1
    assert message in result.stderr
    assert "hunter2" not in result.output
    assert not (folder / "syncs.yaml").exists()


@pytest.mark.server
def test_a_password_of_a_database_reaches_no_file(folder: Path, postgres_url: str) -> None:
    import sqlalchemy as sa

    url = postgres_url.replace("postgres@", "postgres:hunter2@")
    engine = sa.create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(sa.text("create table device (name text primary key, serial text)"))
    engine.dispose()
    result = init("--source", "data", "--target", url, "--yes")
    assert result.exit_code == 0, result.output
    assert "export TARGET_URL=...  #" in result.stdout
    assert "${TARGET_URL}" in (folder / "syncs.yaml").read_text()
    texts = [path.read_text() for path in folder.glob("*.yaml")]
    assert not any("hunter2" in text for text in (*texts, result.output))
