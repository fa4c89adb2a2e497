"""What a model class tells by how it is declared."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)

F = TypeVar("F", bound=Callable[..., Any])

_CACHES: list[Any] = []

IDENTITY = ("get_identifiers", "create_unique_id", "get_unique_id", "get_shortname")
"""The methods by which an object says which one it is."""
CONTENT = ("get_attrs", "dict")
"""The methods by which it says what it holds; `get_identifiers` goes through `dict` too."""


class ModelType(ModelMetaclass):
    """The class of model classes.

    A class may be changed after it was made: programs set `_identifiers` on what `pydantic.create_model` gave them, and
    tests put mocks in the place of methods. What follows from a declaration is worked out anew then, and not on each use.
    A metaclass of a program's own derives from `type(DiffSyncModel)`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_declaration()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        _note_change(self, name)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        _note_change(self, name)

    if TYPE_CHECKING:

        def _read_declaration(self) -> None:
            """Work out what follows from the declaration; the class itself does it."""


def _note_change(model: ModelType, name: str) -> None:
    # Pydantic sets names of its own while it makes the class, and one when forward references are resolved.
    if name.startswith(("__", "_abc_")) and name not in ("__pydantic_complete__", "__del__"):
        return
    if "_is_declared" in vars(model):
        for cache in _CACHES:
            cache.cache_clear()
        _declare_anew(model)


def _declare_anew(model: Any) -> None:
    model._read_declaration()
    for below in type.__subclasses__(model):
        _declare_anew(below)


def per_class(function: F) -> F:
    """Remember what a function says of classes until one of them is changed."""
    cached = functools.lru_cache(maxsize=1024)(function)
    _CACHES.append(cached)
    return cached  # type: ignore[return-value]  # called as the function is


def root_of(model: type[Any]) -> Any:
    """The base of all models of the library that the model is of: this one, or diffsync."""
    return next(base for base in reversed(model.__mro__) if "_identifiers" in vars(base))


def overrides(model: type[Any], names: Iterable[str]) -> bool:
    """Whether the class has any of these methods from elsewhere than the library."""
    made = _as_made(root_of(model))
    return any(_provided(model, name) is not made.get(name) for name in names)


def _provided(model: type[Any], name: str) -> Any:
    return next((vars(base)[name] for base in model.__mro__ if name in vars(base)), None)


@functools.cache
def _as_made(root: type[Any]) -> dict[str, Any]:
    """What the class has had from the beginning: first asked for when it is made."""
    return dict(vars(root))


def dumps_as_is(model: type[BaseModel], names: Iterable[str]) -> bool:
    """Whether pydantic dumps these fields by their types alone: none is excluded, none has a serializer."""
    decorators = model.__pydantic_decorators__
    if decorators.field_serializers or decorators.model_serializers or model.model_config.get("serialize_by_alias"):
        return False
    fields = [model.model_fields.get(name) for name in names]
    return not any(
        field is None or field.exclude or getattr(field, "exclude_if", None) or "Serializer" in repr(field)
        for field in fields
    )


def is_overridden(obj: Any, root: type[Any], names: Iterable[str]) -> bool:
    """Whether an object's class, or the object itself, has something else than `root` under one of these names."""
    return any(name in vars(obj) or getattr(type(obj), name) is not getattr(root, name) for name in names)
