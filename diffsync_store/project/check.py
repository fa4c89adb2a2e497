"""Find problems that would otherwise occur only when an adapter or the store is used."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from diffsync_store.project.check_syncs import problems_of_sync
from diffsync_store.project.errors import ConfigError, Problem
from diffsync_store.project.project import BaseProject


def find_problems(project: BaseProject[Any]) -> Iterator[Problem]:
    """Yield the problems of a file: of its models, records, classes, settings and variables. No system and no store is contacted."""
    yield from dict.fromkeys(_find_problems(project))  # adapters of one class may share a problem


def _find_problems(project: BaseProject[Any]) -> Iterator[Problem]:
    if project.declared.store is not None:
        yield from _problems_of(project.store_settings)
    yield from _problems_of(project.factory.models.classes)
    for name in project.adapters:
        yield from _problems_of(partial(project.factory.check, name))
    for name in project.declared.notify:
        yield from _problems_of(partial(project.notify_address, name))
    for name in project.syncs:
        yield from problems_of_sync(project, name)


def _problems_of(check: Callable[[], object]) -> tuple[Problem, ...]:
    try:
        check()
    except ConfigError as error:
        return error.problems
    return ()
