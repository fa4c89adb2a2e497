"""A project of two systems, CSV files and a SQLite database, and commands in processes of their own."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import psutil
import pytest

from tests.servers import is_gone, wait_until

FILE = """
models:
  site:
    identifiers: {name: str}
    attributes: {region: str, note: "str?", password: "str?"}
    children: [device]
  device:
    identifiers: {site: str, name: str}
    attributes: {serial: str}
    references: {site: site}
adapters:
  files:
    type: files
    settings: {folder: data, format: csv}
    records: {site: {from: sites.csv}, device: {from: devices.csv}}
  database:
    type: sql
    settings: {url: "sqlite:///%s"}
    records: {site: {from: site}, device: {from: device}}
syncs:
  inventory: {source: files, target: database}
"""
SITES = "name,region,note,password\nams,eu,old,secret-1\nber,eu,,secret-2\nnyc,us,\x1b[31mred,secret-3\n"
DEVICES = "site,name,serial\nams,sw1,A1\nnyc,sw2,A2\n"
TABLES = """
create table site(name text primary key, region text, note text, password text);
create table device(site text, name text, serial text, primary key (site, name));
insert into site values ('ams', 'us', 'old', 'secret-0'), ('par', 'eu', null, null);
"""


@dataclass
class CommandLine:
    """A folder with a YAML file, in which commands run."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("DIFFSYNC", "NO_COLOR"))}
        return kept | {"COLUMNS": "120"} | dict(self.variables)

    def words(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "diffsync_store.cli", *words]

    def run(self, *words: str, code: int = 0, answer: str | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.words(*words),
            cwd=self.folder,
            env=self.environment(),
            input=answer,
            stdin=subprocess.DEVNULL if answer is None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def start(self, *words: str, stdout: int = subprocess.PIPE) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.words(*words),
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def database(self) -> Path:
        return self.folder / "inventory.db"

    def rows(self, query: str = "select name, region from site order by name") -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(query).fetchall()

    def servers(self) -> list[psutil.Process]:
        """Return the embedded servers of the folder and their keepers."""
        return [
            process
            for process in psutil.process_iter(["cmdline"])
            if any(str(self.folder) in word for word in process.info["cmdline"] or ()) and process.pid != os.getpid()
        ]


def make_project(folder: Path, **replaced: str) -> CommandLine:
    (folder / "data").mkdir()
    (folder / "data/sites.csv").write_text(SITES, "utf-8")
    (folder / "data/devices.csv").write_text(DEVICES, "utf-8")
    made = CommandLine(folder)
    text = dedent(FILE) % made.database
    for old, new in replaced.items():
        text = text.replace(old, new)
    (folder / "syncs.yaml").write_text(text, "utf-8")
    with closing(sqlite3.connect(made.database)) as connection:
        connection.executescript(TABLES)
    return made


@pytest.fixture
def project(tmp_path: Path) -> Iterator[CommandLine]:
    """A project without a store: an embedded server keeps it beside the file."""
    made = make_project(tmp_path)
    yield made
    wait_until(lambda: all(map(is_gone, made.servers())), 200, "no server is left behind")
