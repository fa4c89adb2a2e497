"""Find what does not fit between the two adapters of a sync."""

from collections.abc import Iterator, Mapping
from typing import Any

from diffsync_store.adapters import MappedAdapter
from diffsync_store.field_rules import FieldRule
from diffsync_store.field_rules.rules import EVERY
from diffsync_store.mapping import FieldMapping, RecordMapping
from diffsync_store.model import DiffSyncModel
from diffsync_store.project.errors import ConfigError, Problem
from diffsync_store.project.project import BaseProject
from diffsync_store.store.reported_values import reported_values_of
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
    yield from _wrong_field_rules(project, name, target)
    yield from _wrong_operation_rules(project, name, {*source, *target})
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


def _wrong_field_rules(project: BaseProject[Any], name: str, models: list[str]) -> Iterator[Problem]:
    """Yield a problem for each field rule of a model or an attribute that the target does not have."""
    sync = project.syncs[name]
    deletes = {} if isinstance(sync.deletes, str) else sync.deletes
    for key, of_models in (("fields", sync.fields), ("deletes", deletes)):
        for model in of_models.keys() - {*models, EVERY} if key == "deletes" else of_models.keys() - {*models}:
            known = f"{did_you_mean(model, models)} Known models: {', '.join(sorted(models))}"
            message = f"{sync.target} has no model {model!r}.{known}"
            yield project.file.problem(("syncs", name, key, model), message)
    for model, rules in sync.fields.items():
        found = project.factory.model(sync.target, model) if model in models else None
        if found is not None:
            yield from _wrong_attributes(project, (name, model), found, rules)


def _wrong_attributes(
    project: BaseProject[Any], place: tuple[str, str], model: type[DiffSyncModel], rules: Mapping[str, str]
) -> Iterator[Problem]:
    name, model_name = place
    attributes = list(model._attributes)
    for attribute, rule in rules.items():
        where = "syncs", name, "fields", model_name, attribute
        if attribute in model._identifiers:
            message = f"{attribute} identifies {model_name}, so a rule cannot keep it from being written. Remove it."
            yield project.file.problem(where, message)
        elif attribute not in attributes and attribute != EVERY:
            known = f"{did_you_mean(attribute, attributes)} Its attributes: {', '.join(attributes) or 'none'}"
            yield project.file.problem(where, f"{model_name} has no attribute {attribute!r}.{known}")
        elif (
            rule == FieldRule.NEVER and attribute in model.model_fields and model.model_fields[attribute].is_required()
        ):
            message = f"{attribute} is required to create a {model_name}, and `never` leaves it out. Use fill_empty or unless_changed, or give the field a default."
            yield project.file.problem(where, message)


def _wrong_operation_rules(project: BaseProject[Any], name: str, models: set[str]) -> Iterator[Problem]:
    """Yield a problem for each rule, and for the canary, of a model or a field that neither adapter has."""
    sync = project.syncs[name]
    rules = sync.operation_rules
    fields = {model: _fields(project, (sync.source, sync.target), model) for model in models}
    for message in sync.canary.problems(fields) if sync.canary is not None else ():
        yield project.file.problem(("syncs", name, "canary"), message)
    for position, message in (*rules.unknown_models(models), *rules.unknown_fields(fields)):
        yield project.file.problem(("syncs", name, "rules", position), message)


def _fields(project: BaseProject[Any], sides: tuple[str, str], model: str) -> frozenset[str] | None:
    """Return the names of the fields that a diff shows of a model; None if methods of a class decide."""
    names: set[str] = set()
    for side in sides:
        found = project.factory.model(side, model) if model in project.factory.model_names(side) else None
        if found is not None and reported_values_of(found):
            return None
        names.update(() if found is None else (*found._identifiers, *found._attributes))
    return frozenset(names)


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
