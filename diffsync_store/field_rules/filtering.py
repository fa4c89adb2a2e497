"""Apply field rules to the elements of a diff: only what may be written stays an operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from itertools import chain
from typing import Any

from diffsync_store.compare import normal_forms
from diffsync_store.diff import Diff, DiffElement
from diffsync_store.enum import DiffSyncActions
from diffsync_store.field_rules.left_alone import LeftAlone, Why
from diffsync_store.field_rules.memory import Remembered, TargetMemory
from diffsync_store.field_rules.rules import FieldRule, FieldRules
from diffsync_store.model import DiffSyncModel
from diffsync_store.redaction import redact_id, redact_values
from diffsync_store.values.readable import canonical

Objects = Callable[[str, Sequence[str]], Mapping[str, DiffSyncModel]]
"""Takes a model and unique ids; returns those of the objects that the target has."""
_BATCH = 1000
"""Elements whose objects are looked up together."""
_UNKNOWN = Remembered()


class RuleFilter:
    """Applies the field rules of a sync to the elements of one comparison. For one thread.

    Args:
        rules: the rules.
        memory: what syncs have written to the target.
        source_name: the name of the source, which owns the objects that its sync has created.
        objects: reads objects of the target, to recognise those that move.
    """

    def __init__(self, rules: FieldRules, memory: TargetMemory, source_name: str, objects: Objects) -> None:
        self._rules = rules
        self._memory = memory
        self._source_name = source_name
        self._objects = objects
        self._known: dict[str, dict[str, Remembered]] = {}
        self._moved: dict[str, Mapping[str, DiffSyncModel]] = {}
        self._left: list[LeftAlone] = []

    def filtered(self, elements: Iterable[DiffElement]) -> Iterator[tuple[DiffElement, list[LeftAlone], bool]]:
        """Yield each top-level element with what is left alone in it, and whether it is dropped with everything below it."""
        for batch in _batches(elements):
            self._look_up(batch)
            for element in batch:
                self._left = []
                is_dropped = self._apply(element)
                yield element, self._left, is_dropped

    # What is known about the objects of a batch

    def _look_up(self, batch: list[DiffElement]) -> None:
        known: dict[str, list[str]] = {}
        created: dict[str, list[str]] = {}
        for element in chain.from_iterable(map(_tree, batch)):
            if self._needs_memory(element):
                known.setdefault(element.type, []).append(_uid(element))
            if element.action == DiffSyncActions.CREATE and self._rules.concerns(element.type):
                created.setdefault(element.type, []).append(_uid(element))
        self._moved = {model: self._objects(model, uids) for model, uids in created.items()}
        for model, objects in self._moved.items():
            known.setdefault(model, []).extend(objects)
        self._known = {model: self._memory.read(model, uids) for model, uids in known.items()}

    def _needs_memory(self, element: DiffElement) -> bool:
        if element.action == DiffSyncActions.DELETE:
            return self._rules.deletes_own(element.type)
        return element.action == DiffSyncActions.UPDATE and self._rules.remembers_values(element.type)

    def _remembered(self, element: DiffElement) -> Remembered:
        return self._known.get(element.type, {}).get(_uid(element), _UNKNOWN)

    # One element, those below it first

    def _apply(self, element: DiffElement) -> bool:
        """Apply the rules at and below an element; return whether it is left out with everything below it."""
        action = element.action
        if action == DiffSyncActions.CREATE and self._rules.concerns(element.type):
            there = self._moved.get(element.type, {}).get(_uid(element))
            if there is not None and self._is_foreign(element):
                self._leave_object(element, Why.FOREIGN_MOVE)
                return True
            self._apply_to_create(element, there)
        keeps_below = self._apply_below(element)
        if action == DiffSyncActions.UPDATE and element.type in self._rules.fields:
            self._apply_to_update(element, element.target_forms)
        elif action == DiffSyncActions.DELETE and (keeps_below or self._is_foreign(element)):
            self._leave_object(element, Why.FOREIGN if self._is_foreign(element) else Why.KEPT_BELOW)
            element.dest_attrs = None
        return False

    def _apply_below(self, element: DiffElement) -> bool:
        """Apply the rules to everything below an element; return whether an object is kept there that would be deleted."""
        keeps = False
        dropped = []
        for child in [child for group in element.child_diff.children.values() for child in group.values()]:
            was_delete = child.action == DiffSyncActions.DELETE
            if self._apply(child):
                dropped.append(child)
            elif was_delete and child.action is None:
                keeps = True
        element.child_diff.leave_out(dropped)
        return keeps

    def _is_foreign(self, element: DiffElement) -> bool:
        return self._rules.deletes_own(element.type) and self._remembered(element).created_by != self._source_name

    # Attributes

    def _apply_to_create(self, element: DiffElement, there: DiffSyncModel | None) -> None:
        """Leave out attributes that are never written. An object that moves keeps the target's values that a sync must not write."""
        source = element.source_attrs or {}
        if there is None:
            names = [name for name in source if self._rules.rule(element.type, name) is FieldRule.NEVER]
            element.source_attrs = {name: value for name, value in source.items() if name not in names}
            return
        pair = DiffElement(element.type, element.name, element.keys)
        pair.uid, pair._secrets = element.uid, element._secrets
        pair.add_attrs(source, there.get_attrs())
        self._apply_to_update(pair, normal_forms(there))
        target = pair.dest_attrs or {}
        element.source_attrs = {name: target[name] if name in pair.equal else value for name, value in source.items()}

    def _apply_to_update(self, element: DiffElement, forms: Mapping[str, Any]) -> None:
        kept = {name for name in element._changed() if not self._may_write(element, name, forms)}
        if kept:
            element.equal = element.equal | kept

    def _may_write(self, element: DiffElement, name: str, forms: Mapping[str, Any]) -> bool:
        rule = self._rules.rule(element.type, name)
        if rule is FieldRule.SOURCE:
            return True
        if rule is FieldRule.NEVER:
            return self._leave_value(element, name, Why.NEVER)
        has_value = not _is_empty((element.dest_attrs or {})[name])
        if rule is FieldRule.FILL_EMPTY:
            return self._leave_value(element, name, Why.FILLED) if has_value else True
        known = self._remembered(element)
        if not known.knows(name):
            return self._leave_value(element, name, Why.NOT_WRITTEN) if has_value else True
        value = (element.dest_attrs or {})[name]
        return known.matches(name, value, forms, self._memory.salt) or self._leave_value(element, name, Why.CHANGED)

    # What is listed

    def _leave_value(self, element: DiffElement, name: str, why: Why) -> bool:
        known = self._remembered(element) if why is Why.CHANGED else _UNKNOWN
        source, target = (redact_values(element, {name: (side or {})[name]})[name] for side in _sides(element))
        applied = "***" if name in known.digests else redact_values(element, {name: known.values.get(name)})[name]
        values = {"attribute": name, "target": target, "source": source, "applied": applied}
        self._left.append(
            self._listed(element, why, has_applied=known.knows(name), is_adopted=known.is_adopted, **values)
        )
        return False

    def _leave_object(self, element: DiffElement, why: Why) -> None:
        known = self._remembered(element)
        self._left.append(self._listed(element, why, created_by=known.created_by, is_adopted=known.is_adopted))

    def _listed(self, element: DiffElement, why: Why, **values: Any) -> LeftAlone:
        uid = canonical(_uid(element))
        shown = redact_id(element, element.keys, uid)
        identifiers = redact_values(element, element.keys)
        key = "" if shown == uid else uid
        return LeftAlone(model=element.type, unique_id=shown, identifiers=identifiers, why=why, key=key, **values)


def apply_rules(
    diff: Diff, rules: FieldRules, memory: TargetMemory, source_name: str, objects: Objects
) -> list[LeftAlone]:
    """Apply field rules to a diff in memory, in place; return what is left alone.

    Args:
        diff: the diff.
        rules: the rules.
        memory: what syncs have written to the target.
        source_name: the name of the source.
        objects: reads objects of the target: `target.store.fetch`.
    """
    elements = [element for group in diff.children.values() for element in group.values()]
    found: list[LeftAlone] = []
    dropped = []
    for element, left, is_dropped in RuleFilter(rules, memory, source_name, objects).filtered(elements):
        found += left
        if is_dropped:
            dropped.append(element)
    diff.leave_out(dropped)
    return found


def _tree(element: DiffElement) -> Iterator[DiffElement]:
    yield element
    for group in element.child_diff.children.values():
        for child in group.values():
            yield from _tree(child)


def _batches(elements: Iterable[DiffElement]) -> Iterator[list[DiffElement]]:
    batch: list[DiffElement] = []
    size = 0
    for element in elements:
        batch.append(element)
        size += sum(1 for _ in _tree(element))
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _uid(element: DiffElement) -> str:
    return element.uid or element.name


def _sides(element: DiffElement) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    return element.source_attrs, element.dest_attrs


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, Sized) and not len(value))
