"""Text that identifies the code of a function across processes, to detect results of older code."""

from __future__ import annotations

import functools
import re
import types
from collections.abc import Mapping
from typing import Any

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def text_of(value: Any, seen: frozenset[int] = frozenset()) -> str:
    """Return text that changes with the code, defaults and closure of a function.

    Functions that it calls by name are not included. The text is the same in all processes of one Python version.
    """
    if id(value) in seen:
        return "..."
    return _text(value, functools.partial(text_of, seen=seen | {id(value)}))


def _text(value: Any, part: Any) -> str:  # noqa: PLR0911  # one line for each type
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, types.CodeType):
        return f"{value.co_code.hex()}{value.co_names}{[part(constant) for constant in value.co_consts]}"
    if isinstance(value, types.MethodType):
        return str(part(value.__func__))
    if isinstance(value, types.FunctionType):
        parts = (value.__code__, value.__defaults__, value.__kwdefaults__, _enclosed(value))
        return f"{value.__module__}.{value.__qualname__}{[part(item) for item in parts]}"
    if isinstance(value, functools.partial):
        return f"partial{[part(item) for item in (value.func, value.args, value.keywords)]}"
    if isinstance(value, set | frozenset):
        return f"{{{sorted(part(item) for item in value)}}}"
    if isinstance(value, list | tuple):
        return str([part(item) for item in value])
    if isinstance(value, Mapping):
        return str([(part(key), part(item)) for key, item in value.items()])
    text = _ADDRESS.sub("", repr(value))
    if callable(value) and hasattr(value, "__dict__"):
        return f"{text}{part(type(value).__call__)}{part(vars(value))}"
    return text


def _enclosed(function: types.FunctionType) -> list[Any]:
    """Return the values of the closure of a function."""
    return [cell.cell_contents for cell in function.__closure__ or () if cell != types.CellType()]
