"""Find what does not fit between the two adapters of a sync."""

from collections.abc import Iterator, Mapping
from typing import Any

from diffsync_store.adapters import MappedAdapter
from diffsync_store.mapping import FieldMapping, RecordMapping
from diffsync_store.project.errors import ConfigError, Problem
from diffsync_store.project.project import BaseProject
from diffsync_store.suggestion import did_you_mean


def problems_of_sync(project: BaseProject[Any], name: str) -> Iterator[Problem]:
    """Yield the problems of a sync whose adapters have none."""
    sync = project.syncs[name]
    try:
        source, target = (project.factory.model_names(side) for side in (sync.source, sync.target))
        records = project.factory.records(sync.target)
    except ConfigError:
        return
    yield from _unknown_models(project, name, {*source, *target})
    if source and target and not {*source} & {*target}:
        message = f"{sync.source} and {sync.target} have no model in common. {_models(sync.source, source)} {_models(sync.target, target)}"
        yield project.file.problem(("syncs", name), message)
    if records is not None:
        yield from _unwritable(project, name, records)


def _models(adapter: str, models: list[str]) -> str:
    return f"Models of {adapter}: {', '.join(models)}."


def _unknown_models(project: BaseProject[Any], name: str, known: set[str]) -> Iterator[Problem]:
    """Yield a problem for each guard of a model that neither adapter has."""
    sync = project.syncs[name]
    guarded = {
        ("change_limits", "models"): sync.guards.change_limits.models,
        ("completeness", "allow_partial"): sync.guards.completeness.allow_partial,
        ("completeness", "allow_empty"): sync.guards.completeness.allow_empty,
    }
    for location, models in guarded.items():
        for model in sorted({*models} - known):
            neither = (
                f"neither {sync.source} nor {sync.target} has a model {model!r}.{did_you_mean(model, sorted(known))}"
            )
            message = f"{neither} Known models: {', '.join(sorted(known))}"
            yield project.file.problem(("syncs", name, "guards", *location), message)


def _unwritable(project: BaseProject[Any], name: str, records: Mapping[str, RecordMapping]) -> Iterator[Problem]:
    """Yield what the target of a sync cannot write."""
    target = project.syncs[name].target
    if project.factory.find(target).send_creates is MappedAdapter.send_creates:  # type: ignore[attr-defined]
        message = f"the adapter {target} only reads, because of its {project.adapters[target].class_key}. Choose another target."
        yield project.file.problem(("syncs", name, "target"), message)
        return
    for model, mapping in records.items():
        for field, declared in mapping.fields.items():
            yield from (
                project.file.problem(("adapters", target, "records", model, "fields", field, "map"), message)
                for message in _not_invertible(declared)
            )


def _not_invertible(field: FieldMapping) -> Iterator[str]:
    outside: dict[str, list[str]] = {}
    for value, meaning in field.map.items():
        outside.setdefault(str(meaning), []).append(str(value))
    for meaning, values in outside.items():
        if len(values) > 1 and not field.read_only:
            several = " and ".join(values)
            yield f"{several} both become {meaning}, so it is unknown which one to write. Set read_only: true, or map one of them."
