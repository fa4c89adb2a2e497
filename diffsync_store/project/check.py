"""Find problems that would otherwise occur only when an adapter or the store is used."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from diffsync_store.project.errors import ConfigError, Problem
from diffsync_store.project.project import BaseProject


def find_problems(project: BaseProject[Any]) -> Iterator[Problem]:
    """Yield the problems of all classes, settings and variables of a file; the store is not contacted."""
    if project.declared.store is not None:
        yield from _problems_of(project.store_settings)
    yield from _problems_of(project.factory.models.classes)
    for name in project.adapters:
        yield from _problems_of(partial(project.factory.check, name))
    for name in project.syncs:
        yield from _unknown_models(project, name)


def _problems_of(check: Callable[[], object]) -> tuple[Problem, ...]:
    try:
        check()
    except ConfigError as error:
        return error.problems
    return ()


def _unknown_models(project: BaseProject[Any], name: str) -> Iterator[Problem]:
    """Yield a problem for each guard of a model that neither adapter has."""
    sync = project.syncs[name]
    try:
        adapters = [project.factory.model_names(side) for side in (sync.source, sync.target)]
    except ConfigError:
        return
    known = sorted({model for models in adapters for model in models})
    guarded = {
        ("change_limits", "models"): sync.guards.change_limits.models,
        ("completeness", "allow_partial"): sync.guards.completeness.allow_partial,
        ("completeness", "allow_empty"): sync.guards.completeness.allow_empty,
    }
    for location, models in guarded.items():
        for model in sorted({*models} - {*known}):
            message = f"neither {sync.source} nor {sync.target} has a model {model!r}. Known models: {', '.join(known)}"
            yield project.file.problem(("syncs", name, "guards", *location), message)
