"""Telling functions apart across processes, so that what older code has made is not taken for what newer code makes."""

from __future__ import annotations

import functools
import re
import types
from collections.abc import Mapping
from typing import Any

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def text_of(value: Any, seen: frozenset[int] = frozenset()) -> str:
    """Text that differs where functions, or what they are made of, differ: as far as their own code tells.

    What a function calls by name is not looked into. The same function has the same text in every process of one
    version of Python.
    """
    if id(value) in seen:
        return "..."
    return _text(value, functools.partial(text_of, seen=seen | {id(value)}))


def _text(value: Any, part: Any) -> str:  # noqa: PLR0911  # one line a kind of value
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, types.CodeType):
        return f"{value.co_code.hex()}{value.co_names}{[part(constant) for constant in value.co_consts]}"
    if isinstance(value, types.MethodType):
        return str(part(value.__func__))
    if isinstance(value, types.FunctionType):
        made_of = (value.__code__, value.__defaults__, value.__kwdefaults__, _enclosed(value))
        return f"{value.__module__}.{value.__qualname__}{[part(item) for item in made_of]}"
    if isinstance(value, functools.partial):
        return f"partial{[part(item) for item in (value.func, value.args, value.keywords)]}"
    if isinstance(value, set | frozenset):
        return f"{{{sorted(part(item) for item in value)}}}"
    if isinstance(value, list | tuple):
        return str([part(item) for item in value])
    if isinstance(value, Mapping):
        return str([(part(key), part(item)) for key, item in value.items()])
    shown = _ADDRESS.sub("", repr(value))
    if callable(value) and hasattr(value, "__dict__"):
        return f"{shown}{part(type(value).__call__)}{part(vars(value))}"
    return shown


def _enclosed(function: types.FunctionType) -> list[Any]:
    """What a function holds of those around it."""
    return [cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType()]
