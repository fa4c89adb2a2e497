"""The ready adapters by the names under which a project file asks for them. A class is imported when it is asked for."""

import importlib
from collections.abc import Mapping
from typing import NamedTuple

from diffsync_store.adapters.mapped import MappedAdapter


class Entry(NamedTuple):
    """Where the class of a type is."""

    class_name: str
    extra: str
    """The extra of `diffsync-store` that installs the packages of the class."""


TYPES: Mapping[str, Entry] = {
    "files": Entry("FilesAdapter", "files"),
    "python": Entry("PythonAdapter", "mapping"),
    "sql": Entry("SqlAdapter", "sql"),
    "rest": Entry("RestAdapter", "rest"),
    "netbox": Entry("NetBoxAdapter", "netbox"),
    "nautobot": Entry("NautobotAdapter", "nautobot"),
    "powerdns": Entry("PowerDnsAdapter", "powerdns"),
}
"""Each class is in the module of its type's name."""

TYPE_NAMES = tuple(TYPES)


def adapter_class(type_name: str) -> type[MappedAdapter]:
    """Import the class of a type.

    Raises:
        ImportError: a package that the class needs is not installed; the message says how to install it.
    """
    entry = TYPES[type_name]
    try:
        module = importlib.import_module(f"diffsync_store.adapters.{type_name}")
    except ImportError as error:
        missing = _missing_package(error)
        command = f"pip install 'diffsync-store[{entry.extra}]'"
        raise ImportError(f"The adapter type {type_name} needs the package {missing}: {command}") from error
    found: type[MappedAdapter] = getattr(module, entry.class_name)
    return found


def _missing_package(error: BaseException) -> str:
    """Return the name of the package whose import failed first."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return (cause.name or "").partition(".")[0] if isinstance(cause, ImportError) else str(cause)
