"""Which YAML file, which Redis and which namespace a command uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from diffsync_store.cli.embedded import embedded_store, why_ended
from diffsync_store.cli.environment import environment
from diffsync_store.project import ConfigError, Project, SyncContext, UserError

DEFAULT_FILE = Path("syncs.yaml")
Context = SyncContext[Project]


class NoStore(UserError):
    """Neither an option nor a file names a store."""


class Connection:
    """The Redis of the running command: that of the options, else that of the file, else an embedded one."""

    url = ""
    namespace: str | None = None
    """None if no option states it: then the file does."""
    why_unavailable: Callable[[], str] | None = None
    """Says what to do if the embedded store does not answer; None for another Redis."""


def redis_options() -> dict[str, Any]:
    """Return the URL and the namespace as keyword arguments of stores, diffs and leases."""
    return {"url": Connection.url, "namespace": Connection.namespace or ""}


def open_project(file: Path | None) -> Project:
    """Read the YAML file.

    Raises:
        UserError: it does not exist, or is wrong.
    """
    if file is None and not DEFAULT_FILE.exists():
        raise UserError(
            f"There is no {DEFAULT_FILE} in {Path.cwd()}. Write one with `diffsync-store init`, or name yours with --file."
        )
    return Project(file or DEFAULT_FILE, environment())


@contextmanager
def using_store(file: Path | None) -> Iterator[None]:
    """Let `redis_options` return the Redis of the command.

    Raises:
        NoStore: no option names a Redis, and there is no file.
        ConfigError: the file is wrong.
    """
    project = _project_of(file)
    if project is None:
        if not Connection.url:
            raise NoStore(
                "No Redis URL. Set DIFFSYNC_STORE_URL, or use --url, --url-file, or --file for the store of a YAML file."
            )
        yield
        return
    given = Connection.url, Connection.namespace
    if is_embedded(project):
        Connection.why_unavailable = partial(why_ended, *_embedded_place(project))
    if Connection.namespace is None:
        Connection.namespace = project.namespace
    try:
        with _chosen_store(project) as url:
            Connection.url = url or project.store_url()
            yield
    finally:
        Connection.url, Connection.namespace = given
        Connection.why_unavailable = None


def _project_of(file: Path | None) -> Project | None:
    """Return the project of a file; None if no file is named, and that of the folder is missing or not needed."""
    if file is not None:
        return open_project(file)
    if not DEFAULT_FILE.exists():
        return None
    try:
        return open_project(None)
    except ConfigError:
        if not Connection.url:
            raise
        return None


@contextmanager
def open_context(file: Path | None) -> Iterator[Context]:
    """Open the project with its store.

    Raises:
        ConfigError: the file is wrong.
    """
    project = open_project(file)
    why = partial(why_ended, *_embedded_place(project)) if is_embedded(project) else None
    with _chosen_store(project) as url, Context(project, url, why) as context:
        yield context


def is_embedded(project: Project) -> bool:
    """Whether the project has its store in an embedded server."""
    return not Connection.url and project.declared.store is None


def _embedded_place(project: Project) -> tuple[Path, str]:
    """Return the folder of the embedded store, and the name of its data there."""
    file = project.path.absolute()
    return file.parent, "" if file.name == DEFAULT_FILE.name else file.name


@contextmanager
def _chosen_store(project: Project) -> Iterator[str]:
    """Yield the URL of the store; empty if the file has it."""
    if is_embedded(project):
        with embedded_store(*_embedded_place(project)) as url:
            yield url
    else:
        yield Connection.url
