"""Watch the calls of an adapter's hooks, and let them fail before or after their work."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from diffsync_store.hooks import ACTIONS, is_own, takes_many
from diffsync_store.model import DiffSyncModel


class HookCall(NamedTuple):
    """A call of a `create`, `update`, `delete` or `..._many` of a model."""

    action: str
    model: str
    unique_ids: tuple[str, ...]
    """The records, in the order of the call."""


def _nothing(_call: HookCall) -> None:
    """Let the call be."""


class HookCalls:
    """The calls of an adapter's hooks. The threads of a sync share it."""

    def __init__(self) -> None:
        self.made: list[HookCall] = []
        self.before: Callable[[HookCall], None] = _nothing
        """Called before each call; what it raises is raised instead of the call."""
        self.after: Callable[[HookCall], None] = _nothing
        """Called after each call; what it raises is raised instead of the answer."""
        self._inside = threading.local()

    def lose_answer(self, number: int = 0) -> None:
        """Let the answer of the call of this number be lost."""
        self.after = self._once(number, lambda: ConnectionResetError("The answer was lost."))

    def fail(self, number: int, error: Callable[[], BaseException], *, after: bool = False) -> None:
        """Let the call of this number raise an error before, or after its work."""
        if after:
            self.after = self._once(number, error)
        else:
            self.before = self._once(number, error)

    def _once(self, number: int, error: Callable[[], BaseException]) -> Callable[[HookCall], None]:
        seen = iter(range(number + 1))

        def fail(_call: HookCall) -> None:
            if next(seen, None) == number:
                raise error()

        return fail

    def run(self, call: HookCall, hook: Callable[[], Any]) -> Any:
        """Make a call; a hook that is called by another one counts as a part of it."""
        if getattr(self._inside, "is_inside", False):
            return hook()
        self._inside.is_inside = True
        try:
            self.before(call)
            answer = hook()
            self.made.append(call)
            self.after(call)
            return answer
        finally:
            self._inside.is_inside = False


@contextmanager
def watched(models: list[type[DiffSyncModel]]) -> Iterator[HookCalls]:
    """Watch the hooks of models for the time of the block."""
    calls = HookCalls()
    restores = [_watch(model, action, calls) for model in models for action in ACTIONS if is_own(model, action)]
    restores += [
        _watch_many(model, action, calls) for model in models for action in ACTIONS if takes_many(model, action)
    ]
    try:
        yield calls
    finally:
        for restore in restores:
            restore()


def _watch(model: type[DiffSyncModel], action: str, calls: HookCalls) -> Callable[[], None]:
    original = getattr(model, action)

    def create(_cls: Any, *args: Any, **kwargs: Any) -> Any:
        ids = kwargs["ids"] if "ids" in kwargs else args[1]
        call = HookCall(action, model._modelname, (model.create_unique_id(**ids),))
        return calls.run(call, lambda: original(*args, **kwargs))

    def change(self: DiffSyncModel, *args: Any, **kwargs: Any) -> Any:
        call = HookCall(action, model._modelname, (self.get_unique_id(),))
        return calls.run(call, lambda: original(self, *args, **kwargs))

    return _replace(model, action, classmethod(create) if action == "create" else change)


def _watch_many(model: type[DiffSyncModel], action: str, calls: HookCalls) -> Callable[[], None]:
    original = getattr(model, f"{action}_many")

    def many(_cls: Any, adapter: Any, records: list[Any]) -> Any:
        ids = tuple(_unique_id(model, action, record) for record in records)
        return calls.run(HookCall(action, model._modelname, ids), lambda: original(adapter, records))

    return _replace(model, f"{action}_many", classmethod(functools.wraps(original)(many)))


def _unique_id(model: type[DiffSyncModel], action: str, record: Any) -> str:
    if action == "create":
        return model.create_unique_id(**record[0])
    obj: DiffSyncModel = record[0] if action == "update" else record
    return obj.get_unique_id()


def _replace(model: type[DiffSyncModel], name: str, hook: Any) -> Callable[[], None]:
    """Replace a member of a class; return what undoes it."""
    if name in vars(model):
        original = vars(model)[name]
        setattr(model, name, hook)
        return lambda: setattr(model, name, original)
    setattr(model, name, hook)
    return lambda: delattr(model, name)
