"""The one author of stored objects: models to JSON and back.

A stored object is one line of JSON, the model's own fields as pydantic writes them; it is read back by pydantic against
the model's own class. Where a class overrides what its objects say of themselves (`get_attrs`, `get_identifiers`,
`get_unique_id`, `get_shortname`), or has attributes that JSON may write in several ways, a second line holds what they
said, for readers that lack the class.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError
from pydantic_core import PydanticSerializationError

from diffsync_store.canonical import canonical, has_ambiguous_attributes, mentions
from diffsync_store.classes import root_of
from diffsync_store.compare import normal_forms, normalisers
from diffsync_store.exceptions import ObjectStoreException

if TYPE_CHECKING:
    from diffsync_store.model import DiffSyncModel


class Spoken(BaseModel):
    """What an object's own class said of it, for readers that lack the class; None where its fields say it."""

    get_identifiers: dict[str, Any] | None = None
    get_attrs: dict[str, Any] | None = None
    get_unique_id: str | None = None
    get_shortname: str | None = None
    normal_forms: dict[str, Any] | None = None


SAID_NOTHING = Spoken()
SPOKEN = tuple(Spoken.model_fields)

_MASK = b'"**********"'
"""What pydantic writes in place of a secret."""

_NOT_STORED = {"adapter"}


@lru_cache(maxsize=1024)
def spoken_of(model: type[DiffSyncModel]) -> tuple[str, ...]:
    """Which of a model's statements about itself a reader without the class could not make from the fields."""
    root = root_of(model)
    return tuple(
        name
        for name in SPOKEN
        if getattr(model, name, None) is not getattr(root, name, None)
        or (name == "normal_forms" and normalisers(model))
        or (name == "get_attrs" and has_ambiguous_attributes(model))
        or (name == "get_unique_id" and _makes_own_unique_ids(model, root))
    )


def _makes_own_unique_ids(model: type[DiffSyncModel], root: type[DiffSyncModel]) -> bool:
    owner = next(base for base in model.__mro__ if "create_unique_id" in vars(base))
    return owner is not root


@lru_cache(maxsize=1024)
def _listens(model: type[DiffSyncModel]) -> bool:
    return getattr(model, "_listens", False)


@lru_cache(maxsize=1024)
def _beside_fields(model: type[DiffSyncModel]) -> tuple[bool, tuple[str, ...]]:
    """Whether a field may hold a secret; and `spoken_of`."""
    kinds = (SecretStr, SecretBytes)
    return any(mentions(field.annotation, kinds) for field in model.model_fields.values()), spoken_of(model)


def encode(obj: DiffSyncModel) -> bytes:
    """Write an object.

    Raises:
        ObjectStoreException: a field holds something that pydantic cannot write as JSON.
    """
    model = type(obj)
    may_have_secrets, names = _beside_fields(model)
    try:
        data: bytes = model.__pydantic_serializer__.to_json(
            obj,
            exclude=_NOT_STORED,
            by_alias=False,
            round_trip=True,
            warnings=False,
        )
        if names:
            data += b"\n" + json.dumps({name: canonical(_say(obj, name)) for name in names}).encode()
    except (PydanticSerializationError, ValueError) as error:
        raise _not_json(obj, str(error)) from error
    if may_have_secrets and _MASK in data:
        raise _not_json(obj, "pydantic writes asterisks in place of a secret")
    return data


def _not_json(obj: DiffSyncModel, why: str) -> ObjectStoreException:
    return ObjectStoreException(
        f"{obj.get_type()} {obj.get_unique_id()!r} cannot be stored as JSON: {why}. "
        "Give the field a type that pydantic can write, or a serializer."
    )


def _say(obj: DiffSyncModel, name: str) -> Any:
    return normal_forms(obj) if name == "normal_forms" else getattr(obj, name)()


def decode(model: type[DiffSyncModel], value: bytes, uid: str) -> Any:
    """Read an object back as an instance of `model`.

    Raises:
        ObjectStoreException: what is stored does not fit the class.
    """
    end = value.find(b"\n")
    data, spoken = (value, b"") if end < 0 else (value[:end], value[end + 1 :])
    try:
        obj: Any = model.__pydantic_validator__.validate_json(data, by_alias=False, by_name=True)
        if _listens(model):
            obj.listen(Spoken.model_validate_json(spoken) if spoken else SAID_NOTHING)
    except ValidationError as error:
        raise ObjectStoreException(
            f"The stored {model._modelname} {uid!r} does not fit the class {model.__qualname__}: {error}. "
            "If the class has changed since the store was loaded, load it again."
        ) from error
    return obj
