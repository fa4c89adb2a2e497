"""The order of operations whose records refer to others beside the tree: what is referenced is created first and deleted last.

Models come in the order of their references already: those at the top, and those below one parent. What remains are deletes, which
would come in the same order, and records that refer to records of their own model, such as a region to the one that it is part of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from diffsync_store.diff import DiffElement
from diffsync_store.enum import DiffSyncActions
from diffsync_store.model import DiffSyncModel
from diffsync_store.sync.steps import Step

Models = Mapping[str, type[DiffSyncModel]]
Uid = str


class ReferenceOrder:
    """The order that the references of the target's models require.

    Args:
        models: the classes of the target's models. A declared model has `_references`.
        uid: Returns the unique id of a step's object.
    """

    def __init__(self, models: Models, uid: Callable[[Step], Uid]) -> None:
        self._models = models
        self._uid = uid
        self._parents = {child: name for name, model in models.items() for child in model._children}
        self._referenced = {found.model for name in models for found in self._references(name)}
        self._to_itself = {
            name: found for name in models if (found := [one for one in self._references(name) if one.model == name])
        }
        self.needs_all = any(self._may_leave_tree(name) for name in models)
        """A record below one object at the top may refer to a record below another one, or beside it in the same model."""

    def deletes_last(self, model: str) -> bool:
        """Whether records of a model are deleted after those that may refer to them."""
        return model in self._referenced

    def layers(self, stage: list[Step]) -> list[list[Step]]:
        """Return the steps of a stage in lists: each refers only to records of lists before it, or to others."""
        references = self._to_itself.get(stage[0].element.type) if stage else None
        if not references:
            return [stage]
        needs = self._needs(stage, references)
        return [stage] if not any(needs) else _layers(stage, needs)

    def named(self, element: DiffElement) -> Iterator[tuple[str, Uid]]:
        """Yield model and unique id of the records that the record of an operation refers to."""
        if element.action is not None:
            references = self._references(element.type) if element.type in self._models else []
            yield from zip((one.model for one in references), self._uids(element, references), strict=True)

    def named_before(self, element: DiffElement) -> Iterator[tuple[str, Uid]]:
        """Yield model and unique id of the records that the record of an update or a delete has referred to."""
        if element.action is not None and element.dest_attrs is not None and element.type in self._models:
            references = self._references(element.type)
            uids = self._uids_of({**element.keys, **element.dest_attrs}, references)
            yield from zip((one.model for one in references), uids, strict=True)

    def _needs(self, stage: list[Step], references: list[Any]) -> list[set[int]]:
        """Return, for each step, the numbers of the steps that have to come before it."""
        numbers: dict[str | None, dict[Uid, int]] = {DiffSyncActions.CREATE: {}, DiffSyncActions.DELETE: {}}
        for number, step in enumerate(stage):
            if step.action in numbers:
                numbers[step.action][self._uid(step)] = number
        needs = []
        for number, step in enumerate(stage):
            is_delete = step.action == DiffSyncActions.DELETE
            others = numbers[DiffSyncActions.DELETE if is_delete else DiffSyncActions.CREATE]
            found = (
                {others.get(uid) for uid in self._uids(step.element, references)} if step.action is not None else set()
            )
            needs.append({other for other in found if other is not None and other != number})
        return needs

    def _uids(self, element: DiffElement, references: list[Any]) -> Iterator[Uid]:
        attrs = element.dest_attrs if element.action == DiffSyncActions.DELETE else element.source_attrs
        return self._uids_of({**element.keys, **(attrs or {})}, references)

    def _uids_of(self, values: Mapping[str, Any], references: list[Any]) -> Iterator[Uid]:
        for reference in references:
            yield self._models[reference.model].create_unique_id(
                **{identifier: values.get(field) for identifier, field in reference.fields.items()}
            )

    def _references(self, name: str) -> list[Any]:
        return list(getattr(self._models[name], "_references", {}).values())

    def _may_leave_tree(self, name: str) -> bool:
        """Whether a record of a model may refer to one below another object at the top, in a model that is not above it."""
        path = self._path(name)
        for reference in self._references(name):
            other = self._path(reference.model)
            is_above = reference.model in path[:-1]
            if other[0] != path[0] or is_above:
                continue
            own, others = self._fields_of_top(path), self._fields_of_top(other)
            if {key: reference.fields.get(field) for key, field in others.items()} != own or len(path) == 1:
                return True
        return False

    def _path(self, name: str) -> list[str]:
        """Return the models from the top to a model. A model may be its own child, such as a region of regions."""
        path = [name]
        while (above := self._parents.get(path[0])) is not None and above not in path:
            path.insert(0, above)
        return path

    def _fields_of_top(self, path: list[str]) -> dict[str, str | None]:
        """Return, by identifier of the model at the top, the field of the last model of a path that holds it."""
        fields: dict[str, str | None] = {name: name for name in self._models[path[0]]._identifiers}
        for above, below in pairwise(path):
            found = next((one.fields for one in self._references(below) if one.model == above), None)
            step = found if found is not None else {name: name for name in self._models[above]._identifiers}
            fields = {key: step.get(field or "") for key, field in fields.items()}
        return fields


def _layers(stage: list[Step], needs: list[set[int]]) -> list[list[Step]]:
    """Return the steps in layers; steps that need each other in a circle are the last one."""
    later = defaultdict[int, list[int]](list)
    missing = [len(found) for found in needs]
    for number, found in enumerate(needs):
        for other in found:
            later[other].append(number)
    layers, ready = [], [number for number, count in enumerate(missing) if not count]
    placed = 0
    while ready:
        layers.append([stage[number] for number in ready])
        placed += len(ready)
        following = []
        for number in ready:
            for other in later[number]:
                missing[other] -= 1
                if not missing[other]:
                    following.append(other)
        ready = sorted(following)
    if placed < len(stage):
        layers.append([stage[number] for number, count in enumerate(missing) if count > 0])
    return layers
