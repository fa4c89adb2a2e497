"""An exception keeps its attributes if it is copied or sent to another process."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
from collections.abc import Callable
from typing import Any

import httpx
import pytest

import diffsync_store
from diffsync_store import DiffSyncModel
from diffsync_store.adapters.http import HttpError
from diffsync_store.adapters.netbox.client import NetBoxError
from diffsync_store.enum import StoreState
from diffsync_store.mapping.model_problems import InvalidModels
from diffsync_store.store.record import StoreRecord


class Thing(DiffSyncModel):
    _modelname = "thing"
    _identifiers = ("name",)
    name: str


RECORD = StoreRecord.model_validate({"store_id": "s", "state": StoreState.FAILED, "created": 0, "updated": 0})
FACTS: dict[str, Any] = {
    "existing_object": Thing(name="a"),
    "record": RECORD,
    "holder": None,
    "diff_id": "d",
    "excesses": (1, 2),
}
"""Arguments of the exceptions besides the message."""


def classes() -> list[type[Exception]]:
    """Every exception class of the library."""
    names = [module.name for module in pkgutil.walk_packages(diffsync_store.__path__, "diffsync_store.")]
    modules = [importlib.import_module(name) for name in names if not name.endswith("__main__")]
    members = [member for module in modules for _, member in inspect.getmembers(module, inspect.isclass)]
    own = {member for member in members if issubclass(member, Exception) and member.__module__.startswith("diffsync")}
    return sorted(own, key=str)


RESPONSE = httpx.Response(400, json={"name": "taken"}, request=httpx.Request("POST", "http://127.0.0.1/sites/"))
FIRST: dict[type[Exception], Any] = {
    HttpError: RESPONSE,
    NetBoxError: HttpError(RESPONSE),
    InvalidModels: [(("site", "children", 0), "what is wrong")],
}
"""First arguments other than a message."""


def make(kind: type[Exception]) -> Exception:
    init: Any = kind.__init__
    parameters = inspect.signature(init).parameters if inspect.isfunction(init) else ()
    error = kind(FIRST.get(kind, "what is wrong"), *(FACTS[name] for name in parameters if name in FACTS))
    error.add_note("a note")
    return error


def facts(error: Exception) -> dict[str, Any]:
    """The attributes of an exception. Of an answer, a copy has the status and the headers."""
    response = getattr(error, "response", None)
    kept = {} if response is None else {"response": (response.status_code, response.headers)}
    return vars(error) | kept


WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda error: pickle.loads(pickle.dumps(error)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__name__)
def test_a_copied_or_pickled_exception_keeps_its_attributes(kind: type[Exception], way: str) -> None:
    error = make(kind)
    again = WAYS[way](error)
    assert type(again) is kind
    assert str(again) == str(error)
    assert facts(again) == facts(error)
    assert again.__notes__ == ["a note"]
