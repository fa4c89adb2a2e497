"""Run a sync of a project file in this process."""

from diffsync_store import Adapter, DiffSyncFlags, LocalStore, Sync, SyncOptions
from diffsync_store.lifecycle import opened
from diffsync_store.project import Project


def loaded(project: Project, name: str) -> Adapter:
    """An adapter of the file, with the records of its system."""
    adapter = project.make_adapter(name, LocalStore())
    with opened(adapter), adapter.store.loading():
        adapter.load()
    return adapter


def applied(project: Project, name: str) -> tuple[int, int, int, int]:
    """Load both sides of a sync and apply it; how many records were created, updated, deleted and refused."""
    sync = project.sync(name)
    source, target = loaded(project, sync.source), loaded(project, sync.target)
    with opened(target):
        options = SyncOptions(batch_size=100)
        result = Sync(target.diff_from(source), source, target, options, flags=DiffSyncFlags.CONTINUE_ON_FAILURE).run()
    return result.created, result.updated, result.deleted, result.failed
