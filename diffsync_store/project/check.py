"""Faults that would otherwise show only when something is used."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from diffsync_store.project.errors import ConfigError, Fault
from diffsync_store.project.project import BaseProject


def find_faults(project: BaseProject[Any]) -> Iterator[Fault]:
    """Yield the faults of all classes, settings and variables of a file; the store is not contacted."""
    yield from _faults_of(project.store_settings)
    for name in project.adapters:
        yield from _faults_of(partial(project.factory.check, name))
    for name in project.syncs:
        yield from _unknown_models(project, name)


def _faults_of(check: Callable[[], object]) -> tuple[Fault, ...]:
    try:
        check()
    except ConfigError as error:
        return error.faults
    return ()


def _unknown_models(project: BaseProject[Any], name: str) -> Iterator[Fault]:
    """Guards of models that neither adapter has."""
    sync = project.syncs[name]
    try:
        adapters = [project.factory.find(side) for side in (sync.source, sync.target)]
    except ConfigError:
        return
    known = sorted({model for adapter in adapters for model in adapter._get_initial_value_order()})
    guarded = {
        ("change_limits", "models"): sync.guards.change_limits.models,
        ("completeness", "allow_partial"): sync.guards.completeness.allow_partial,
        ("completeness", "allow_empty"): sync.guards.completeness.allow_empty,
    }
    for location, models in guarded.items():
        for model in sorted({*models} - {*known}):
            message = f"neither {sync.source} nor {sync.target} has a model {model!r}. Known models: {', '.join(known)}"
            yield project.file.fault(("syncs", name, "guards", *location), message)
