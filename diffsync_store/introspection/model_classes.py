"""What a model class tells by how it is declared."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from diffsync_store.values.codec import class_name

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass

    from diffsync_store.model import DiffSyncModel
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


def root_of(model: type[DiffSyncModel]) -> type[DiffSyncModel]:
    """The base of all models of the library that the model is of: this one, or diffsync."""
    root: Any = next(base for base in reversed(model.__mro__) if "_identifiers" in vars(base))
    return root  # type: ignore[no-any-return]


def overrides(model: type[DiffSyncModel], names: Iterable[str]) -> bool:
    """Whether the class has any of these methods from elsewhere than the library."""
    root = root_of(model)
    made = _as_made(root)
    return any(_provided(model, name) is not made.get(name) for name in names)


def _provided(model: type[DiffSyncModel], name: str) -> Any:
    return next((vars(base)[name] for base in model.__mro__ if name in vars(base)), None)


@functools.cache
def _as_made(root: type[DiffSyncModel]) -> dict[str, Any]:
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


class KnownClasses:
    """The classes of their own that values of a model may have: those that its annotations name, and their subclasses.

    A closed set: nothing is imported by a name that stands in data.
    """

    def __init__(self, model: type[BaseModel]) -> None:
        found: dict[Any, None] = {}
        for field in model.model_fields.values():
            _collect(field.annotation, found)
        self._bases: dict[Any, None] = dict.fromkeys(
            kind for kind in found if isinstance(kind, type) and kind not in _TOO_WIDE
        )
        self._by_name: dict[str, type[Any]] = {}

    def allows(self, kind: Any) -> bool:
        """Whether the class is one of them. Looked up, and not asked: a TypedDict refuses to tell."""
        return any(base in self._bases for base in kind.__mro__)

    def find(self, name: str) -> type[Any] | None:
        """The class that `values.class_name` calls by this name."""
        found = self._by_name.get(name)
        if found is None:
            self._by_name = {class_name(kind): kind for base in self._bases for kind in subclasses_of(base)}
            found = self._by_name.get(name)
        return found


_TOO_WIDE = (object, type, type(None), list, dict, set, frozenset)


@per_class
def known_classes(model: Any) -> KnownClasses:
    """Those of a model."""
    return KnownClasses(model)


def subclasses_of(kind: Any) -> dict[Any, None]:
    """The class and all that are derived from it now; of two with the same name, the younger stands behind."""
    found: dict[Any, None] = {}
    ahead = [kind]
    while ahead:
        one = ahead.pop(0)
        if one not in found:
            found[one] = None
            ahead += type.__subclasses__(one)
    return found


def _collect(annotation: Any, found: dict[Any, None]) -> None:
    """Add what an annotation names, however deep, classes among it, with the fields of those that are made of fields."""
    try:
        if annotation in found:
            return
    except TypeError:  # a list of arguments, or metadata that cannot be told apart
        return
    found[annotation] = None
    origin = get_origin(annotation)
    if origin is Literal:
        found |= dict.fromkeys(map(type, get_args(annotation)))
        return
    for part in (origin, *get_args(annotation), *_parts_of(annotation)):
        if part is not None:
            _collect(part, found)


def _parts_of(annotation: Any) -> Iterable[Any]:
    """What an annotation stands for, or the annotations of the fields of a class."""
    if isinstance(annotation, TypeVar):
        return (annotation.__bound__, *annotation.__constraints__)
    if not isinstance(annotation, type):
        return (getattr(annotation, "__value__", None), getattr(annotation, "__supertype__", None))
    if issubclass(annotation, BaseModel):
        return [field.annotation for field in annotation.model_fields.values()]
    if (
        dataclasses.is_dataclass(annotation)
        or hasattr(annotation, "_fields")
        or hasattr(annotation, "__required_keys__")
    ):
        try:
            return get_type_hints(annotation, include_extras=True).values()
        except Exception:  # noqa: BLE001  # a name that cannot be resolved any more
            return ()
    return ()
