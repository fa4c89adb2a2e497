"""The memory of a target: the values that syncs wrote last, and which objects they created."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

from pydantic import BaseModel, ConfigDict

from diffsync_store.values.readable import canonical

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known about one object of a target."""

    created_by: str = ""
    """The source whose sync has created the object; empty if none has."""
    is_adopted: bool = False
    """Whether a person has adopted the object or its values, instead of a sync that wrote them."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """The value of each attribute that was written last, in JSON form."""
    forms: Mapping[str, Any] = field(default_factory=dict)
    """The normal forms of values whose attribute declares a comparison, in JSON form."""
    digests: Mapping[str, str] = field(default_factory=dict)
    """A digest in place of each secret value."""
    at: float = 0.0
    """Time of the last change, in seconds since 1970."""

    def knows(self, attribute: str) -> bool:
        """Whether the last written value of an attribute is known."""
        return attribute in self.values or attribute in self.digests

    def matches(self, attribute: str, value: Any, forms: Mapping[str, Any], salt: bytes) -> bool:
        """Whether a value is the one that was written last, by the comparison that its attribute declares.

        Args:
            attribute: the attribute.
            value: the value that the target has.
            forms: normal forms of the target's attributes that declare a comparison.
            salt: that of the memory.
        """
        if attribute in self.digests:
            return self.digests[attribute] == digest_of(forms.get(attribute, value), salt)
        if attribute not in self.values:
            return False
        if _alike(self.values[attribute], canonical(value)):
            return True
        return attribute in self.forms and attribute in forms and _alike(self.forms[attribute], forms[attribute])

    def merged(self, newer: Remembered) -> Remembered:
        """Return what is known after an update of some values."""
        known = {*newer.values, *newer.digests}
        kept = {
            name: {key: value for key, value in getattr(self, name).items() if key not in known}
            for name in ("values", "forms", "digests")
        }
        return replace(
            newer,
            created_by=newer.created_by or self.created_by,
            values={**kept["values"], **newer.values},
            forms={**kept["forms"], **newer.forms},
            digests={**kept["digests"], **newer.digests},
        )

    def to_json(self) -> str:
        """Return it as JSON, without empty parts at the end."""
        parts = [
            self.created_by,
            int(self.is_adopted),
            round(self.at, 3),
            dict(self.values),
            dict(self.forms),
            dict(self.digests),
        ]
        while not parts[-1] and len(parts) > 3:  # the first three are always written
            parts.pop()
        return json.dumps(parts, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Remembered:
        """Return what `to_json` wrote."""
        created_by, is_adopted, at, *maps = json.loads(text)
        values, forms, digests = (*maps, {}, {}, {})[:3]
        return cls(created_by, bool(is_adopted), values, forms, digests, at)


def _alike(first: Any, second: Any) -> bool:
    return bool(first == second) or _text(first) == _text(second)


def _text(value: Any) -> str:
    return json.dumps(canonical(value), sort_keys=True)


def digest_of(value: Any, salt: bytes) -> str:
    """Return a digest in place of a secret value."""
    return hashlib.blake2b(_text(value).encode(), key=salt, digest_size=16).hexdigest()


class Adoption(BaseModel):
    """That a person has adopted values and objects of a target. Threads may share it."""

    model_config = ConfigDict(frozen=True)

    at: float
    """In seconds since 1970."""
    by: str
    sync: str
    values: dict[str, int] = {}
    """The number of values, by model."""
    objects: dict[str, int] = {}
    """The number of objects that the source then owns, by model."""
    outdated: dict[str, int] = {}
    """The number of objects of which nothing was adopted, by model: a sync had written them since the load of the target began."""


Changes = Mapping[tuple[str, str], "Remembered | None"]
"""What to remember by model and unique id; None to forget the object."""


class TargetMemory(ABC):
    """What syncs have written to one target. Threads may share it."""

    @property
    @abstractmethod
    def salt(self) -> bytes:
        """The key of the digests of secret values."""

    @abstractmethod
    def is_empty(self) -> bool:
        """Whether nothing was remembered yet, or everything was lost."""

    @abstractmethod
    def read(self, model: str, uids: Sequence[str]) -> dict[str, Remembered]:
        """Return what is known about those of the objects that are known."""

    @abstractmethod
    def write(self, changes: Changes) -> None:
        """Replace what is known about objects. To write the same again changes nothing."""

    @abstractmethod
    def uids(self, model: str) -> Iterator[list[str]]:
        """Yield the unique ids of the known objects of a model, in batches."""

    @abstractmethod
    def models(self) -> list[str]:
        """Return the models with known objects."""

    @abstractmethod
    def note_adoption(self, adoption: Adoption) -> None:
        """Keep who has adopted what."""

    @abstractmethod
    def adoptions(self) -> list[Adoption]:
        """Return the adoptions, the oldest first."""

    @abstractmethod
    def clear(self) -> None:
        """Forget everything."""

    def forget_absent(self, model: str, before: float, absent: Callable[[str, list[str]], Iterable[str]]) -> int:
        """Forget objects that a complete load of the target has not found; return their number.

        A person who creates such an object again then owns it.

        Args:
            model: the model.
            before: when the load began, in seconds since 1970; objects that were written later are kept.
            absent: returns those of the unique ids that the target does not have.
        """
        number = 0
        for batch in self.uids(model):
            gone = list(absent(model, batch))
            known = self.read(model, gone) if gone else {}
            changes = {(model, uid): None for uid, one in known.items() if one.at < before}
            if changes:
                self.write(changes)
                number += len(changes)
        return number


class LocalTargetMemory(TargetMemory):
    """The memory of a target that lives as long as the process, for syncs without Redis. Threads may share it."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, Remembered]] = {}
        self._adoptions: list[Adoption] = []
        self._lock = Lock()

    @property
    def salt(self) -> bytes:
        return b""

    def is_empty(self) -> bool:
        return not any(self._objects.values())

    def read(self, model: str, uids: Sequence[str]) -> dict[str, Remembered]:
        with self._lock:
            known = self._objects.get(model, {})
            return {uid: known[uid] for uid in uids if uid in known}

    def write(self, changes: Changes) -> None:
        with self._lock:
            for (model, uid), one in changes.items():
                known = self._objects.setdefault(model, {})
                if one is None:
                    known.pop(uid, None)
                else:
                    known[uid] = one

    def uids(self, model: str) -> Iterator[list[str]]:
        with self._lock:
            found = list(self._objects.get(model, {}))
        for start in range(0, len(found), _PAGE):
            yield found[start : start + _PAGE]

    def models(self) -> list[str]:
        with self._lock:
            return [model for model, known in self._objects.items() if known]

    def note_adoption(self, adoption: Adoption) -> None:
        with self._lock:
            self._adoptions.append(adoption)

    def adoptions(self) -> list[Adoption]:
        with self._lock:
            return list(self._adoptions)

    def clear(self) -> None:
        with self._lock:
            self._objects.clear()
            self._adoptions.clear()
