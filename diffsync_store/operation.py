"""A diff as a list: its elements in the order of a sync, each by itself, so that it can be saved and read in pieces."""

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
from diffsync_store.values.codec import NotStorable, is_plain, pack, unpack
from diffsync_store.values.readable import canonical


class Operation(BaseModel):
    """One create, update or delete; or, without an action, an object that stands above one."""

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    id: str
    """Stable: the same change to the same object at the same place has the same id in every diff; unique within one."""
    action: str | None
    model: str
    unique_id: str | None
    identifiers: dict[str, Any]
    name: str
    parents: tuple[tuple[str, str], ...] = ()
    """Model and name of what the object stands under, outermost first."""
    parent_id: str | None = None
    """Unique id of what the object stands under directly."""
    source: dict[str, Any] | None = None
    """All attributes as the source has them; None where it has no such object."""
    target: dict[str, Any] | None = None
    """All attributes as the target has them; None where it has no such object."""
    equal: tuple[str, ...] = ()
    """Attributes that are equal by the way in which they compare, though their values are not."""
    flags: DiffSyncModelFlags = DiffSyncModelFlags.NONE
    position: int = 0
    """Place among its siblings in the diff's text, which may be another than in the order of a sync."""
    secrets: tuple[str, ...] = ()
    """The fields that the models of the two sides declare as secret, beside those whose names say so."""
    exact: dict[str, dict[str, Any]] = {}
    """Of `identifiers`, `source`, `target` and the operation itself, those values that JSON does not have, as `values` writes them."""

    @property
    def _secrets(self) -> tuple[str, ...]:
        return self.secrets

    @classmethod
    def of(cls, element: DiffElement, above: tuple[DiffElement, ...], position: int) -> Self:
        """Describe an element of a diff and what it stands under.

        Raises:
            ObjectStoreException: it holds a value that cannot be written as JSON.
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
        found = {"identifiers": element.keys, "source": element.source_attrs, "target": element.dest_attrs}
        found["itself"] = {"name": element.name, "unique_id": element.uid}
        exact = {side: _exact(values) for side, values in found.items() if values}
        action, parents = element.action, tuple((parent.type, parent.name) for parent in above)
        shown = tuple((parent.type, redact_id(parent, parent.keys, parent.name)) for parent in above)
        identifiers = canonical(element.keys)
        source, target = canonical(element.source_attrs), canonical(element.dest_attrs)
        return cls(
            id=_operation_id([action, element.type, identifiers, _what(element, source, target), parents]),
            action=action,
            model=element.type,
            unique_id=canonical(element.uid),
            identifiers=identifiers,
            name=canonical(element.name),
            parents=shown,
            parent_id=redact_id(above[-1], above[-1].keys, above[-1].uid) if above and above[-1].uid else None,
            source=source,
            target=target,
            equal=tuple(sorted(element.equal)),
            flags=DiffSyncModelFlags(element.flags),
            position=position,
            secrets=tuple(sorted(element._secrets)),
            exact={side: values for side, values in exact.items() if values},
        )

    def text(self) -> str:
        """The operation as JSON.

        Raises:
            ObjectStoreException: it cannot be written.
        """
        try:
            return self.model_dump_json()
        except PydanticSerializationError as error:
            raise ObjectStoreException(
                f"{self.model} {self.shown().identifiers!a} cannot be saved as JSON: {error}. Give its attributes names "
                "and types that can be stored."
            ) from error

    def changes(self) -> dict[str, dict[str, Any]]:
        """Old values under "-", new ones under "+", as `DiffElement.get_attrs_diffs` has them."""
        found = self.element("source", "target").get_attrs_diffs()
        return {sign: canonical(values) for sign, values in found.items()}

    def shown(self) -> Operation:
        """The operation for people to look at: secret values are `***`."""
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

    def shown_changes(self) -> dict[str, dict[str, Any]]:
        """As `changes`, with secret values as `***`: one that is there under "-" and "+" has changed."""
        return {sign: redact_values(self, values) for sign, values in self.changes().items()}

    def described_changes(self, text: Callable[[Any], str]) -> Iterator[tuple[str, str]]:
        """Each attribute that changes, with its old and its new value as `text` makes them; without secrets."""
        changes = self.shown_changes()
        sides = changes.get("-", {}), changes.get("+", {})
        for name in {**sides[0], **sides[1]}:
            found = [text(side[name]) for side in sides if name in side]
            is_hidden = len(found) > 1 and sides[0][name] == sides[1][name]
            yield name, " → ".join(found) + (CHANGED_SUFFIX if is_hidden else "")

    def element(self, source_name: str, target_name: str) -> DiffElement:
        """The element again, without what stands below it."""
        keys = self._values("identifiers", self.identifiers) or {}
        itself = self._values("itself", {"name": self.name, "unique_id": self.unique_id}) or {}
        element = SavedElement(self.model, itself["name"], keys, source_name, target_name, SavedOrderDiff)
        element.add_attrs(source=self._values("source", self.source), dest=self._values("target", self.target))
        element.uid = itself["unique_id"]
        element.equal = frozenset(self.equal)
        element.flags = self.flags.value
        element.operation_id = self.id
        if self.secrets:
            element._secrets = self.secrets
        return element

    def _values(self, side: str, values: dict[str, Any] | None) -> dict[str, Any] | None:
        exact = self.exact.get(side)
        if not exact or values is None:
            return values
        return values | {name: unpack(value) for name, value in exact.items()}


def _exact(values: dict[str, Any]) -> dict[str, Any]:
    return {name: pack(value) for name, value in values.items() if not is_plain(value)}


class SavedElement(DiffElement):
    """An element as it was saved. It changes no more, so what has to be done is found out once."""

    def add_attrs(self, source: dict[str, Any] | None = None, dest: dict[str, Any] | None = None) -> None:
        super().add_attrs(source, dest)
        for found in ("action", "_changed_attributes"):
            self.__dict__.pop(found, None)

    @cached_property
    def action(self) -> str | None:
        return super().action

    @cached_property
    def _changed_attributes(self) -> list[str]:
        return super()._changed()

    def _changed(self) -> list[str]:
        return self._changed_attributes


class SavedOrderDiff(Diff):
    """A diff whose order was decided when it was saved."""

    has_operation_ids: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.order: list[DiffElement] = []

    def add(self, element: DiffElement) -> None:
        super().add(element)
        self.order.append(element)

    def leave_out(self, elements: Iterable[DiffElement]) -> None:
        gone = list(elements)
        super().leave_out(gone)
        ids = set(map(id, gone))
        self.order = [element for element in self.order if id(element) not in ids]

    def get_children(self) -> Iterator[DiffElement]:
        yield from self.order

    def arrange(self, elements: list[DiffElement]) -> None:
        """Bring `children`, and so the text, into the order of these elements."""
        self.children.clear()
        for element in elements:
            self.children[element.type][element.name] = element


def operations_of(diff: Diff) -> Iterator[Operation]:
    """What a diff has to say, in the order of a sync: operations, and what stands above them."""
    yield from _walk(diff, ())


def operations_at(element: DiffElement, position: int, above: tuple[DiffElement, ...] = ()) -> Iterator[Operation]:
    """What an element and those below it have to say."""
    if element.has_diffs():
        yield Operation.of(element, above, position)
        yield from _walk(element.child_diff, (*above, element))


def _walk(diff: Diff, above: tuple[DiffElement, ...]) -> Iterator[Operation]:
    siblings = [element for group in diff.children.values() for element in group.values()]
    positions = {id(element): position for position, element in enumerate(siblings)}
    for element in diff.get_children():
        yield from operations_at(element, positions.get(id(element), 0), above)


def diff_of(operations: Iterable[Operation], source_name: str, target_name: str) -> SavedOrderDiff:
    """The diff again, from what `operations_of` told."""
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


def _what(element: DiffElement, source: Any, target: Any) -> Any:
    """What is changed, as JSON has it; `source` and `target` are the element's attributes as JSON has them."""
    if element.action == DiffSyncActions.UPDATE:
        return canonical(element.get_attrs_diffs())
    if element.action == DiffSyncActions.CREATE:
        return {"+": source}
    return {"-": target} if element.action == DiffSyncActions.DELETE else None


_sorted_json = json.JSONEncoder(sort_keys=True).encode


def _operation_id(parts: list[Any]) -> str:
    """A digest of what is changed, where and how; not of the diff that it stands in."""
    return hashlib.blake2b(_sorted_json(parts).encode(), digest_size=12).hexdigest()


@dataclass(frozen=True)
class OperationFilter:
    """Chooses operations that are JSON still, by their first fields: `id`, `action`, `model`, `unique_id`; empty chooses all."""

    model: str = ""
    action: str = ""
    unique_id: str = ""
    """Needs `model`: objects of two models may have the same."""

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
    """The id of an operation that is JSON still."""
    return text[len(b'{"id":"') : text.index(b'"', len(b'{"id":"'))].decode()
