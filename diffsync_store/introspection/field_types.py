"""Which fields hold immutable values, by their types."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import ipaddress
import types
import uuid
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from diffsync_store.introspection.model_classes import dumps_as_is, overrides

_SCALARS = (
    str, int, float, bool, bytes, complex, type(None), decimal.Decimal, enum.Enum, uuid.UUID,
    dt.datetime, dt.date, dt.time, dt.timedelta,
    ipaddress.IPv4Address, ipaddress.IPv6Address, ipaddress.IPv4Network, ipaddress.IPv6Network,
    ipaddress.IPv4Interface, ipaddress.IPv6Interface,
)  # fmt: skip


def plain_fields(model: type[BaseModel], names: Iterable[str]) -> tuple[str, ...] | None:
    """Return these fields in declaration order if all are immutable and dumped unchanged, else None."""
    wanted = set(names)
    fields = tuple(name for name in model.model_fields if name in wanted)
    if len(fields) < len(wanted) or overrides(model, ("dict",)) or not dumps_as_is(model, fields):
        return None
    return fields if all(is_scalar(model.model_fields[name].annotation) for name in fields) else None


def is_scalar(annotation: Any) -> bool:
    """Whether values of this type are immutable, and pydantic dumps them unchanged."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        return issubclass(annotation, _SCALARS) and not hasattr(annotation, "__get_pydantic_core_schema__")
    origin = get_origin(annotation)
    if origin is Literal:
        return True
    if origin is Annotated:
        return is_scalar(get_args(annotation)[0])
    return origin in (Union, types.UnionType) and all(map(is_scalar, get_args(annotation)))
