"""Serving an adapter of the diffsync package: it catches its own package's exceptions, so those it must get."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any


def error_class(error: type[Exception], adapter: Any) -> type[Exception]:
    """`error`, as a class that the package of `adapter` catches as well."""
    packages = {base.__module__.partition(".")[0] for base in type(adapter).__mro__}
    return _double(error) if "diffsync" in packages else error


@lru_cache(maxsize=32)
def _double(error: type[Exception]) -> type[Exception]:
    foreign = getattr(sys.modules.get("diffsync.exceptions"), error.__name__, None)
    return type(error.__name__, (error, foreign), {}) if foreign else error
