"""The metaclass of models, caches per model class, and questions about overridden methods."""

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
"""Methods that identify an object."""
CONTENT = ("get_attrs", "dict")
"""Methods that return the content of an object. `get_identifiers` calls `dict` too."""


class ModelType(ModelMetaclass):
    """The metaclass of model classes.

    A class may change after its creation: programs set `_identifiers` on a class from `pydantic.create_model`, and tests replace
    methods by mocks. Such a change clears what was computed for the class. Derive your own metaclass from
    `type(DiffSyncModel)`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_declaration()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        _on_change(self, name)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        _on_change(self, name)

    if TYPE_CHECKING:

        def _read_declaration(self) -> None:
            """Compute what follows from the declaration; `DiffSyncModel` implements it."""


def _on_change(model: ModelType, name: str) -> None:
    # Pydantic sets private names while it creates the class, and one when it resolves forward references.
    if name.startswith(("__", "_abc_")) and name != "__pydantic_complete__":
        return
    if "_is_declared" in vars(model):
        for cache in _CACHES:
            cache.cache_clear()
        _redeclare(model)


def _redeclare(model: Any) -> None:
    model._read_declaration()
    for below in type.__subclasses__(model):
        _redeclare(below)


def per_class(function: F) -> F:
    """Cache the results of a function of model classes until a class changes."""
    cached = functools.lru_cache(maxsize=1024)(function)
    _CACHES.append(cached)
    return cached  # type: ignore[return-value]  # the wrapper has the signature of the function


def library_base(model: type[Any]) -> Any:
    """Return the base class of all models: `DiffSyncModel` of this library, or of diffsync."""
    return next(base for base in reversed(model.__mro__) if "_identifiers" in vars(base))


def overrides(model: type[Any], names: Iterable[str]) -> bool:
    """Whether the class overrides any of these methods of the library."""
    made = _original_attributes(library_base(model))
    return any(_attribute(model, name) is not made.get(name) for name in names)


def _attribute(model: type[Any], name: str) -> Any:
    return next((vars(base)[name] for base in model.__mro__ if name in vars(base)), None)


@functools.cache
def _original_attributes(root: type[Any]) -> dict[str, Any]:
    """Return the attributes of the base class from its creation, when this is called first."""
    return dict(vars(root))


def dumps_as_is(model: type[BaseModel], names: Iterable[str]) -> bool:
    """Whether pydantic dumps these fields by their types alone, without exclusions and serializers."""
    decorators = model.__pydantic_decorators__
    if decorators.field_serializers or decorators.model_serializers or model.model_config.get("serialize_by_alias"):
        return False
    fields = [model.model_fields.get(name) for name in names]
    return not any(
        field is None or field.exclude or getattr(field, "exclude_if", None) or "Serializer" in repr(field)
        for field in fields
    )


def is_overridden(obj: Any, root: type[Any], names: Iterable[str]) -> bool:
    """Whether an object or its class overrides one of these attributes of `root`."""
    return any(name in vars(obj) or getattr(type(obj), name) is not getattr(root, name) for name in names)
