"""The project file of the worked example, over small registries."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from diffsync_store import DiffSyncFlags, LocalStore, Sync, SyncOptions, SyncResult
from diffsync_store.project import Project
from tests.flows.registry import write_registry

FILE = Path(__file__).parents[2] / "deployments" / "syncs.yaml"
FOLDERS = {"airports-2024": "20240316.1", "airports-2026": "20260905"}

Reconcile = Callable[..., SyncResult]


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/airports.db"


@pytest.fixture
def project(tmp_path: Path, database_url: str) -> Project:
    releases = {"AIRPORT_RELEASES": str(tmp_path / "releases"), "DATABASE_URL": database_url}
    return Project(FILE, environment={**releases, "REDIS_URL": "redis://127.0.0.1:1"})


@pytest.fixture
def reconcile(project: Project, tmp_path: Path) -> Reconcile:
    """Writes the registry of a sync, and brings the database in line with it."""

    def run(sync: str, airports: Iterable[Mapping[str, str]]) -> SyncResult:
        write_registry(tmp_path / "releases" / FOLDERS[sync] / "airportsdata", airports)
        declared = project.sync(sync)
        source, target = (loaded(project, name) for name in (declared.source, declared.target))
        diff = target.diff_from(source, flags=DiffSyncFlags.CONTINUE_ON_FAILURE)
        return Sync(diff, source, target, SyncOptions(), flags=DiffSyncFlags.CONTINUE_ON_FAILURE).run()

    return run


def loaded(project: Project, name: str) -> Any:
    adapter = project.make_adapter(name, LocalStore(name=name))
    with adapter.store.loading():
        adapter.load()
    return adapter
