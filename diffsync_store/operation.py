"""A diff as a list of operations in the order of a sync, which can be saved and read page by page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticSerializationError, to_json

from diffsync_store._tree_depth import require_depth
from diffsync_store.diff import Diff, DiffElement
from diffsync_store.enum import DiffSyncActions, DiffSyncModelFlags
from diffsync_store.exceptions import ObjectStoreException
from diffsync_store.redaction import CHANGED_SUFFIX, redact_id, redact_values
from diffsync_store.values.codec import pack, unpack
from diffsync_store.values.errors import NotStorable
from diffsync_store.values.plain import is_plain
from diffsync_store.values.readable import canonical


class Operation(BaseModel):
    """One create, update or delete; without an action, an unchanged object that has operations below it."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    id: str
    """Unique in the diff. The same change of the same object below the same parents has the same id in every diff."""
    action: str | None
    model: str
    unique_id: str | None
    identifiers: dict[str, Any]
    name: str
    parents: tuple[tuple[str, str], ...] = ()
    """Model and name of each ancestor, outermost first."""
    parent_id: str | None = None
    """Unique id of the parent object."""
    source: dict[str, Any] | None = None
    """All attributes on the source; None if the source does not have the object."""
    target: dict[str, Any] | None = None
    """All attributes on the target; None if the target does not have the object."""
    equal: tuple[str, ...] = ()
    """Attributes that are equal by their declared comparison, though their values differ."""
    flags: DiffSyncModelFlags = DiffSyncModelFlags.NONE
    absent_loads: int = 0
    """Loads of the source in a row, up to the one of the diff, that lacked an object to delete; 0 if not counted."""
    position: int = 0
    """Position among its siblings in the text of the diff. The order of a sync may differ."""
    secrets: tuple[str, ...] = ()
    """Fields that the model of either side declares as secret."""
    exact: dict[str, dict[str, Any]] = {}
    """Values that JSON cannot represent, encoded by `values.codec`: those of `identifiers`, `source`, `target`, and `itself`."""

    @property
    def _secrets(self) -> tuple[str, ...]:
        return self.secrets

    @classmethod
    def of(cls, element: DiffElement, above: tuple[DiffElement, ...], position: int) -> Self:
        """Return the operation of an element.

        Args:
            element: the element.
            above: its ancestors, outermost first.
            position: its position among its siblings.

        Raises:
            ObjectStoreException: a value cannot be saved as JSON.
        """
        try:
            return cls._of(element, above, position)
        except (NotStorable, RecursionError) as error:
            raise ObjectStoreException(
                f"{element.type} {redact_values(element, element.keys)} cannot be saved as JSON: one of its values {error}. "
                "Give its attributes types that can be stored."
            ) from error

    @classmethod
    def _of(cls, element: DiffElement, above: tuple[DiffElement, ...], position: int) -> Self:
        parts = {"identifiers": element.keys, "source": element.source_attrs, "target": element.dest_attrs}
        parts["itself"] = {"name": element.name, "unique_id": element.uid}
        exact = {part: _exact(values) for part, values in parts.items() if values}
        action, parents = element.action, tuple((parent.type, parent.name) for parent in above)
        redacted = tuple((parent.type, redact_id(parent, parent.keys, parent.name)) for parent in above)
        identifiers = canonical(element.keys)
        source, target = canonical(element.source_attrs), canonical(element.dest_attrs)
        return cls(
            id=_operation_id([action, element.type, identifiers, _change(element, source, target), parents]),
            action=action,
            model=element.type,
            unique_id=canonical(element.uid),
            identifiers=identifiers,
            name=canonical(element.name),
            parents=redacted,
            parent_id=redact_id(above[-1], above[-1].keys, above[-1].uid) if above and above[-1].uid else None,
            source=source,
            target=target,
            equal=tuple(sorted(element.equal)),
            flags=DiffSyncModelFlags(element.flags),
            absent_loads=element.absent_loads,
            position=position,
            secrets=tuple(sorted(element._secrets)),
            exact={part: values for part, values in exact.items() if values},
        )

    def text(self) -> str:
        """Return the operation as JSON, without fields that have their default.

        Raises:
            ObjectStoreException: a name or a value cannot be saved as JSON.
        """
        try:
            return self.model_dump_json(exclude_defaults=True)
        except PydanticSerializationError as error:
            raise ObjectStoreException(
                f"{self.model} {self.redacted().identifiers!a} cannot be saved as JSON: {error}. Give its attributes names "
                "and types that can be stored."
            ) from error

    def changes(self) -> dict[str, dict[str, Any]]:
        """Return old values under "-" and new values under "+", as `DiffElement.get_attrs_diffs` does."""
        changes = self.element("source", "target").get_attrs_diffs()
        return {sign: canonical(values) for sign, values in changes.items()}

    def redacted(self) -> Operation:
        """Return a copy with secret values replaced by `***`."""
        return self.model_copy(
            update={
                "identifiers": redact_values(self, self.identifiers),
                "unique_id": self.unique_id and redact_id(self, self.identifiers, self.unique_id),
                "name": redact_id(self, self.identifiers, self.name),
                "source": self.source if self.source is None else redact_values(self, self.source),
                "target": self.target if self.target is None else redact_values(self, self.target),
                "exact": {},
            }
        )

    def redacted_changes(self) -> dict[str, dict[str, Any]]:
        """Return the changes with secret values replaced by `***`. A secret under both "-" and "+" has changed."""
        return {sign: redact_values(self, values) for sign, values in self.changes().items()}

    def formatted_changes(self, format_value: Callable[[Any], str]) -> Iterator[tuple[str, str]]:
        """Yield the name of each changed attribute, and a text with its old and new value. Secrets are redacted."""
        changes = self.redacted_changes()
        sides = changes.get("-", {}), changes.get("+", {})
        for name in {**sides[0], **sides[1]}:
            texts = [format_value(side[name]) for side in sides if name in side]
            is_hidden = len(texts) > 1 and sides[0][name] == sides[1][name]
            yield name, " → ".join(texts) + (CHANGED_SUFFIX if is_hidden else "")

    def element(self, source_name: str, target_name: str) -> DiffElement:
        """Return the element of this operation, without the elements below it."""
        keys = self._values("identifiers", self.identifiers) or {}
        itself = self._values("itself", {"name": self.name, "unique_id": self.unique_id}) or {}
        element = SavedElement(self.model, itself["name"], keys, source_name, target_name, SavedOrderDiff)
        element.add_attrs(source=self._values("source", self.source), dest=self._values("target", self.target))
        element.uid = itself["unique_id"]
        element.equal = frozenset(self.equal)
        element.flags = self.flags.value
        element.operation_id = self.id
        element.absent_loads = self.absent_loads
        if self.secrets:
            element._secrets = self.secrets
        return element

    def _values(self, part: str, values: dict[str, Any] | None) -> dict[str, Any] | None:
        exact = self.exact.get(part)
        if not exact or values is None:
            return values
        return values | {name: unpack(value) for name, value in exact.items()}


def _exact(values: dict[str, Any]) -> dict[str, Any]:
    return {name: pack(value) for name, value in values.items() if not is_plain(value)}


class SavedElement(DiffElement):
    """A saved element. Its values do not change, so its action and its changed attributes are computed once."""

    def add_attrs(self, source: dict[str, Any] | None = None, dest: dict[str, Any] | None = None) -> None:
        super().add_attrs(source, dest)
        for cached in ("action", "_changed_attributes"):
            self.__dict__.pop(cached, None)

    @cached_property
    def action(self) -> str | None:
        return super().action

    @cached_property
    def _changed_attributes(self) -> list[str]:
        return super()._changed()

    def _changed(self) -> list[str]:
        return self._changed_attributes


class SavedOrderDiff(Diff):
    """A diff whose elements are in the order of a sync, which was computed when the diff was saved."""

    has_operation_ids: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.order: list[DiffElement] = []

    def add(self, element: DiffElement) -> None:
        super().add(element)
        self.order.append(element)

    def leave_out(self, elements: Iterable[DiffElement]) -> None:
        removed = list(elements)
        super().leave_out(removed)
        ids = set(map(id, removed))
        self.order = [element for element in self.order if id(element) not in ids]

    def get_children(self) -> Iterator[DiffElement]:
        yield from self.order

    def arrange(self, elements: list[DiffElement]) -> None:
        """Put `children`, which the text of the diff follows, in the order of these elements."""
        self.children.clear()
        for element in elements:
            self.children[element.type][element.name] = element


def operations_of(diff: Diff) -> Iterator[Operation]:
    """Yield the operations of a diff and the objects above them, in the order of a sync."""
    yield from _walk(diff, ())


def operations_at(element: DiffElement, position: int, above: tuple[DiffElement, ...] = ()) -> Iterator[Operation]:
    """Yield the operations at and below an element, and the objects above them."""
    if element.has_diffs():
        yield Operation.of(element, above, position)
        yield from _walk(element.child_diff, (*above, element))


def _walk(diff: Diff, above: tuple[DiffElement, ...]) -> Iterator[Operation]:
    siblings = [element for group in diff.children.values() for element in group.values()]
    positions = {id(element): position for position, element in enumerate(siblings)}
    for element in diff.get_children():
        yield from operations_at(element, positions.get(id(element), 0), above)


def diff_of(operations: Iterable[Operation], source_name: str, target_name: str) -> SavedOrderDiff:
    """Return the diff that `operations_of` was called with."""
    diff = SavedOrderDiff()
    above: list[DiffElement] = []
    positions: dict[int, int] = {}
    places: list[SavedOrderDiff] = [diff]
    for operation in operations:
        del above[len(operation.parents) :]
        require_depth(len(operation.parents))
        element = operation.element(source_name, target_name)
        place = above[-1].child_diff if above else diff
        place.add(element)
        above.append(element)
        positions[id(element)] = operation.position
        if isinstance(element.child_diff, SavedOrderDiff):
            places.append(element.child_diff)
    for saved in places:
        saved.arrange(sorted(saved.order, key=lambda element: positions[id(element)]))
    return diff


def _change(element: DiffElement, source: Any, target: Any) -> Any:
    """Return the change of an element in JSON form. `source` and `target` are its attributes in that form."""
    if element.action == DiffSyncActions.UPDATE:
        return canonical(element.get_attrs_diffs())
    if element.action == DiffSyncActions.CREATE:
        return {"+": source}
    return {"-": target} if element.action == DiffSyncActions.DELETE else None


_sorted_json = json.JSONEncoder(sort_keys=True).encode


def _operation_id(parts: list[Any]) -> str:
    """Return a digest of the change and its place. It does not depend on the rest of the diff."""
    return hashlib.blake2b(_sorted_json(parts).encode(), digest_size=12).hexdigest()


@dataclass(frozen=True)
class OperationFilter:
    """Selects saved operations without parsing their JSON, by its first fields. An empty field selects all."""

    model: str = ""
    action: str = ""
    unique_id: str = ""
    """Requires `model`: objects of two models may have the same unique id."""

    @cached_property
    def _begin(self) -> bytes:
        model = b'"model":%b,' % to_json(canonical(self.model)) if self.model else b'"model":'
        return model + b'"unique_id":%b,' % to_json(canonical(self.unique_id)) if self.unique_id else model

    def __contains__(self, text: bytes) -> bool:
        at = text.index(b'"action":') + len(b'"action":')
        action = text[at : text.index(b",", at)]
        if action == b"null" or (self.action and action != b'"%b"' % self.action.encode()):
            return False
        return text.startswith(self._begin, at + len(action) + 1)


def id_in(text: bytes) -> str:
    """Return the id of an operation from its JSON, without parsing the rest."""
    return text[len(b'{"id":"') : text.index(b'"', len(b'{"id":"'))].decode()
