"""Serving an adapter of the diffsync package: it catches its own package's exceptions, so those it must get."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from diffsync_store import exceptions


def error_class(error: type[Exception], adapter: Any) -> type[Exception]:
    """`error`, as a class that the package of `adapter` catches as well."""
    packages = {base.__module__.partition(".")[0] for base in type(adapter).__mro__}
    return _double(error.__name__) or error if "diffsync" in packages else error


@cache
def _double(name: str) -> type[Exception] | None:
    foreign = getattr(sys.modules.get("diffsync.exceptions"), name, None)
    return type(name, (getattr(exceptions, name), foreign), {}) if foreign else None
