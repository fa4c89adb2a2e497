"""Exceptions for adapters of the diffsync package, which catch the exceptions of that package."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from diffsync_store import exceptions


def error_class(error: type[Exception], adapter: Any) -> type[Exception]:
    """Return the error class, derived from diffsync's class of the same name if the adapter is one of diffsync's."""
    packages = {base.__module__.partition(".")[0] for base in type(adapter).__mro__}
    return _combined_class(error.__name__) or error if "diffsync" in packages else error


@cache
def _combined_class(name: str) -> type[Exception] | None:
    foreign = getattr(sys.modules.get("diffsync.exceptions"), name, None)
    return type(name, (getattr(exceptions, name), foreign), {}) if foreign else None
