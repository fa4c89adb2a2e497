"""What a model class tells by how it is declared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

    from diffsync_store.model import DiffSyncModel


def root_of(model: type[DiffSyncModel]) -> type[DiffSyncModel]:
    """The base of all models of the library that the model is of: this one, or diffsync."""
    root: Any = next(base for base in reversed(model.__mro__) if "_identifiers" in vars(base))
    return root  # type: ignore[no-any-return]


def dumps_as_is(model: type[BaseModel], names: Iterable[str]) -> bool:
    """Whether pydantic dumps these fields by their types alone: none is excluded, none has a serializer."""
    decorators = model.__pydantic_decorators__
    if decorators.field_serializers or decorators.model_serializers:
        return False
    fields = [model.model_fields[name] for name in names]
    return not any(field.exclude or "Serializer" in repr(field) for field in fields)
