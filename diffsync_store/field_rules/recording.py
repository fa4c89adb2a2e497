"""Remember what a sync has done."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from diffsync_store.compare import normalisers
from diffsync_store.diff import DiffElement
from diffsync_store.enum import DiffSyncActions
from diffsync_store.field_rules.memory import Remembered, TargetMemory, digest_of
from diffsync_store.field_rules.rules import FieldRules
from diffsync_store.model import DiffSyncModel
from diffsync_store.redaction import is_secret_name, redact_values, secret_fields
from diffsync_store.values.readable import canonical

_MAX_UNWRITTEN = 1000


class Recorder:
    """Collects what operations have done, and writes it to the memory of the target. For one thread.

    It writes before the journal does. After a crash in between, the journal says that the operation was sent, and the sync that
    resumes finds out that it was done, and records the same again.

    Args:
        memory: the memory of the target.
        rules: what is remembered.
        source_name: the name of the source, which owns the objects that the sync creates.
        now: returns the time in seconds since 1970, by the clock of the memory.
    """

    def __init__(
        self, memory: TargetMemory, rules: FieldRules, source_name: str, now: Callable[[], float] = time.time
    ) -> None:
        self._memory = memory
        self._rules = rules
        self._source_name = source_name
        self._now = now
        self._unwritten: dict[tuple[str, str], tuple[bool, Remembered | None]] = {}
        """By object: whether it replaces what is known, and what is known now."""

    def record(self, element: DiffElement, action: str | None, uid: str, obj: DiffSyncModel | None) -> None:
        """Note an operation that was done; `flush` writes it.

        Args:
            element: the operation.
            action: its action; an update for a move.
            uid: unique id of the object.
            obj: the object after the operation, if it is known.
        """
        if not self._rules.concerns(element.type):
            return
        key = element.type, uid
        if action == DiffSyncActions.DELETE:
            self._unwritten[key] = True, None
        else:
            self._note(key, self._written(element, action, obj), is_create=action == DiffSyncActions.CREATE)
        if len(self._unwritten) >= _MAX_UNWRITTEN:
            self.flush()

    def _note(self, key: tuple[str, str], written: Remembered, *, is_create: bool) -> None:
        if is_create:
            self._unwritten[key] = True, written
        elif written.values or written.digests:
            replaces, earlier = self._unwritten.get(key, (False, None))
            self._unwritten[key] = replaces, earlier.merged(written) if earlier else written

    def flush(self) -> None:
        """Write what is noted."""
        if not self._unwritten:
            return
        by_model: dict[str, list[str]] = {}
        for (model, uid), (replaces, _) in self._unwritten.items():
            if not replaces:
                by_model.setdefault(model, []).append(uid)
        known = {model: self._memory.read(model, uids) for model, uids in by_model.items()}
        self._memory.write(
            {
                (model, uid): one if replaces or one is None else known[model].get(uid, Remembered()).merged(one)
                for (model, uid), (replaces, one) in self._unwritten.items()
            }
        )
        self._unwritten.clear()

    def _written(self, element: DiffElement, action: str | None, obj: DiffSyncModel | None) -> Remembered:
        created_by = self._source_name if action == DiffSyncActions.CREATE else ""
        wanted = {
            name: value
            for name, value in element.get_attrs_diffs().get("+", {}).items()
            if self._rules.remembers(element.type, name)
        }
        if not wanted:
            return Remembered(created_by, at=self._now())
        attrs = obj.get_attrs() if obj is not None else {}
        values = {name: attrs.get(name, value) for name, value in wanted.items()}
        known = remembered(values, type(obj) if obj is not None else None, element, self._memory.salt)
        return replace(known, created_by=created_by, at=self._now())


def remembered(values: Mapping[str, Any], model: type[DiffSyncModel] | None, owner: Any, salt: bytes) -> Remembered:
    """Return what to remember of values.

    Args:
        values: the values by attribute.
        model: the class of the object, which declares how values are compared.
        owner: the element or the class that knows which values are secret.
        salt: that of the memory.
    """
    secrets = secret_fields(owner, *([model] if model is not None else ()))
    forms = _forms(model, values)
    plain = {name: canonical(value) for name, value in values.items()}
    shown = redact_values(secrets, values)
    hidden = {name for name in values if name in secrets or is_secret_name(name) or shown[name] != plain[name]}
    return Remembered(
        values={name: value for name, value in plain.items() if name not in hidden},
        forms={name: form for name, form in forms.items() if name not in hidden and form != plain[name]},
        digests={name: digest_of(forms.get(name, values[name]), salt) for name in hidden},
    )


def _forms(model: type[DiffSyncModel] | None, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the normal forms of values whose attribute declares a comparison."""
    found: dict[str, Any] = {}
    for name, normal in normalisers(model).items() if model is not None else ():
        if name in values:
            with suppress(Exception):  # a comparison of the user may refuse a value; then the values are compared
                found[name] = normal(values[name])
    return found
