import dataclasses
import enum
import inspect
import re
from types import ModuleType
from typing import Any, get_type_hints

import pytest
from pydantic import BaseModel

import diffsync_store
from diffsync_store import compare, diffs, guards, helpers, retention, store, sync
from diffsync_store.store import redis


@pytest.mark.parametrize("name", diffsync_store.__all__)
def test_every_exported_name_exists_and_has_a_docstring(name: str) -> None:
    member = getattr(diffsync_store, name)
    docstring = vars(member).get("__doc__") if isinstance(member, type) else member.__doc__
    assert isinstance(member, str) or (docstring or "").strip()


def test_each_name_is_exported_once() -> None:
    assert len(diffsync_store.__all__) == len(set(diffsync_store.__all__))


def test_every_public_name_of_the_package_is_exported() -> None:
    """Imported modules are not part of the API."""
    names = {
        name
        for name, value in vars(diffsync_store).items()
        if getattr(value, "__module__", "").startswith("diffsync_store")
    }
    assert {name for name in names if not name.startswith("_")} <= set(diffsync_store.__all__)


def public_classes() -> list[type]:
    modules = (diffsync_store, compare, diffs, guards, helpers, redis, retention, store, sync)
    members = {member for module in modules for member in public_members(module) if isinstance(member, type)}
    return sorted(members, key=lambda member: member.__name__)


def public_members(module: ModuleType) -> list[Any]:
    """Return the exports of a module; without `__all__`, its definitions."""
    names = getattr(module, "__all__", None)
    if names is not None:
        return [getattr(module, name) for name in names]
    defined = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    return [value for value in defined.values() if getattr(value, "__module__", "") == module.__name__]


def is_immutable(member: type) -> bool:
    """Return whether objects of the class are exceptions, constants or frozen data, which threads can always share."""
    if issubclass(member, BaseException | enum.Enum | tuple) or member is diffsync_store.DiffSyncActions:
        return True
    if issubclass(member, BaseModel):
        return bool(member.model_config.get("frozen"))
    return dataclasses.is_dataclass(member) and "__delattr__" in vars(member)


@pytest.mark.parametrize("member", public_classes(), ids=lambda member: member.__name__)
def test_the_docstring_of_a_public_class_says_whether_threads_or_processes_may_share_it(member: type) -> None:
    assert is_immutable(member) or re.search(r"\b(threads?|process(es)?)\b", member.__doc__ or "", re.IGNORECASE)


@pytest.mark.parametrize("member", public_classes(), ids=lambda member: member.__name__)
def test_the_type_hints_of_a_public_class_and_its_methods_resolve(member: type) -> None:
    assert get_type_hints(member) is not None
    for name, value in inspect.getmembers(member):
        function = getattr(value, "__func__", value)
        if inspect.isfunction(function) and function.__module__.startswith("diffsync_store"):
            assert get_type_hints(function) is not None, name
