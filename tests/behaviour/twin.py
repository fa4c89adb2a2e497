"""Programs with overridden methods, as data: their results, and the overrides that are called.

A program runs on this library in the process of the tests, and on diffsync in another process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

import structlog
from structlog.testing import capture_logs

from tests.behaviour.api import Adapter, DiffSyncFlags, DiffSyncModel, DiffSyncStatus, LocalStore

ROOT = Path(__file__).parents[2]

Step = list[Any]
"""Name of a step and its arguments."""
StepResult = dict[str, Any]
"""The result of a step, the overrides that it called, and its log."""


class Program:
    """Classes that override the methods of these names, and two adapters of them, filled.

    Each override calls the base and marks its result.
    """

    def __init__(
        self, overrides: Iterable[str], source: dict[str, Any], target: dict[str, Any], store: type[Any] = LocalStore
    ) -> None:
        self.calls: set[str] = set()
        wanted = [name.split(".") for name in overrides]
        marks = {"model": _MODEL_MARKS, "adapter": _ADAPTER_MARKS, "store": _STORE_MARKS}
        self.own: dict[str, dict[str, Any]] = {kind: {} for kind in marks}
        for kind, name in wanted:
            self.own[kind][name] = self._recording(f"{kind}.{name}", marks[kind][name])
        self.device: Any = type("Device", (Device,), {"__module__": __name__, **self.own["model"]})
        self.site: Any = type("Site", (Site,), {"__module__": __name__, **self.own["model"]})
        self.store: Any = type("Store", (store,), self.own["store"])
        members = {"site": self.site, "device": self.device, "top_level": ["site"], **self.own["adapter"]}
        self.network: Any = type("Network", (Adapter,), members)
        self.source = self._filled("source", source)
        self.target = self._filled("target", target)

    def _recording(self, name: str, make: Callable[[Callable[[], None]], Any]) -> Any:
        return make(lambda: self.calls.add(name))

    def _filled(self, name: str, sites: dict[str, Any]) -> Any:
        adapter = self.network(name, self.store)
        for site_name, (region, devices) in sites.items():
            site = self.site(name=site_name, region=region)
            adapter.add(site)
            for device_name, role in devices.items():
                device = self.device(site=site_name, name=device_name, role=role)
                adapter.add(device)
                site.add_child(device)
        return adapter

    def run(self, steps: Iterable[Step]) -> list[StepResult]:
        """Run the steps; an exception of a step is its result."""
        return [self._run_step(name, arguments) for name, *arguments in steps]

    def _run_step(self, name: str, arguments: list[Any]) -> StepResult:
        self.calls.clear()
        with capture_logs() as events:
            try:
                given = _plain(getattr(self, f"do_{name}")(*arguments))
            except Exception as error:  # noqa: BLE001  # what it raises is what is compared
                given = f"raised {type(error).__name__}"
        logged = [
            [event["event"], event.get("status"), event.get("unique_id")] for event in events if "action" in event
        ]
        return {"given": given, "calls": sorted(self.calls), "logged": [] if "raised" in str(given) else logged}

    # Objects

    def _object(self, model: str, name: str) -> Any:
        return self.site(name=name, region="new") if model == "site" else self.device(site="a", name=name, role="new")

    def do_ask_object(self, method: str, model: str, name: str) -> Any:
        return getattr(self._object(model, name), method)()

    def do_ask_stored(self, method: str, model: str, number: int) -> Any:
        objects = self.target.store.get_all(model=model)
        return getattr(objects[number % len(objects)], method)() if objects else None

    def do_show(self, model: str, name: str) -> Any:
        obj = self._object(model, name)
        return [str(obj), repr(obj), f"{obj}", obj.str(), obj.json(), obj.dict(exclude_defaults=True)]

    def do_children(self, name: str) -> Any:
        site, device = self._object("site", "s"), self._object("device", name)
        site.add_child(device)
        listed = list(site.devices)
        site.remove_child(device)
        site.remove_child(device)
        return listed

    def do_status(self) -> Any:
        site = self._object("site", "s")
        site.set_status(DiffSyncStatus.FAILURE, "why")
        return [str(part) for part in site.get_status()]

    def do_crud(self) -> Any:
        site = self.site.create(adapter=self.target, ids={"name": "made"}, attrs={"region": "r"})
        return [site.region, site.update(attrs={"region": "s"}).region, site.delete() is site, site.get_status()[1]]

    # Adapters

    def do_get(self, model: str, name: str, method: str) -> Any:
        key: Any = {"name": name} if model == "site" else {"site": "a", "name": name}
        return [repr(getattr(self.target, method)(model, key)), repr(getattr(self.target, method)(model, f"a__{name}"))]

    def do_get_all(self, model: str) -> Any:
        return [obj.name for obj in self.target.get_all(model)]

    def do_get_by_uids(self, model: str, uids: list[str]) -> Any:
        return [obj.name for obj in self.target.get_by_uids(uids, model)]

    def do_count(self, model: str | None) -> Any:
        names = [name for name in sorted(self.target.get_all_model_names()) if self.target.count(name)]
        return [self.target.count(model), len(self.target), names]

    def do_add(self, model: str, name: str) -> Any:
        return self.target.add(self._object(model, name))

    def do_update(self, model: str, name: str) -> Any:
        return self.target.update(self._object(model, name))

    def do_remove(self, model: str, number: int, children: bool) -> Any:
        objects = self.target.store.get_all(model=model)
        return self.target.remove(objects[number % len(objects)], remove_children=children) if objects else None

    def do_instantiate(self, method: str, name: str) -> Any:
        obj, created = getattr(self.target, method)(self.site, {"name": name}, {"region": "made"})
        return [obj.name, obj.region, created]

    def do_instance(self, method: str, name: str) -> Any:
        obj, created = getattr(self.target, method)(self._object("site", name))
        return [obj.name, obj.region, created]

    def do_tell(self) -> Any:
        return [_with_objects(self.target), self.target.str(), str(self.target), repr(self.target)]

    def do_reload(self) -> Any:
        again = self.network("again", self.store)
        again.load_from_dict(self.source.dict())
        return _with_objects(again)

    # Both

    def do_diff(self, method: str, flags: int) -> Any:
        near, far = (self.target, self.source) if method == "diff_from" else (self.source, self.target)
        diff = getattr(near, method)(far, flags=DiffSyncFlags(flags))
        return [diff.dict(), diff.str(), diff.summary()]

    def do_sync(self, method: str, flags: int) -> Any:
        near, far = (self.target, self.source) if method == "sync_from" else (self.source, self.target)
        diff = getattr(near, method)(far, flags=DiffSyncFlags(flags))
        objects = {model: self.target.store.get_all(model=model) for model in ("site", "device")}
        return [diff.dict(), {model: [vars(obj) for obj in found] for model, found in objects.items()}]


class Site(DiffSyncModel):
    _modelname = "site"
    _identifiers = ("name",)
    _attributes = ("region",)
    _children = {"device": "devices"}
    name: str
    region: str = ""
    devices: list[str] = []


class Device(DiffSyncModel):
    _modelname = "device"
    _identifiers = ("site", "name")
    _shortname = ("name",)
    _attributes = ("role",)
    site: str
    name: str
    role: str = ""


def _with_objects(adapter: Any) -> dict[str, Any]:
    """Return `dict` without models that have no objects: diffsync includes those that were read."""
    return {model: objects for model, objects in adapter.dict().items() if objects}


def _plain(value: Any) -> Any:
    """Return the value as JSON data, without what differs between processes or libraries."""
    if isinstance(value, DiffSyncModel):
        return repr(value)
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items() if key not in ("adapter", "model_flags")}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | None) else str(value)


# The overrides: each calls the base and marks the result

Called = Callable[[], None]


def _through(name: str, mark: Callable[[Any], Any] = lambda given: given, *, of_class: bool = False) -> Any:
    """Return a factory of an override that calls the base and passes the result through `mark`."""

    def make(called: Called) -> Any:
        def own(self: Any, *args: Any, **kwargs: Any) -> Any:
            called()
            above = next(base for base in _mro(self) if name in vars(base) and vars(base)[name] is not member)
            return mark(vars(above)[name].__get__(None if of_class else self, _class(self))(*args, **kwargs))

        member: Any = classmethod(own) if of_class else own
        return member

    return make


def _class(obj: Any) -> type[Any]:
    return obj if isinstance(obj, type) else type(obj)


def _mro(obj: Any) -> Iterable[type[Any]]:
    return _class(obj).__mro__


def _lower(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value.lower() if key in ("region", "role") else value for key, value in values.items()}


def _seen(objects: list[Any]) -> list[Any]:
    return [obj for obj in objects if not obj.name.startswith(".")]


_MODEL_MARKS: dict[str, Any] = {
    "dict": _through("dict", _lower),
    "get_attrs": _through("get_attrs", lambda attrs: {key: f"{value}!" for key, value in attrs.items()}),
    "get_identifiers": _through("get_identifiers", lambda ids: {key: value.upper() for key, value in ids.items()}),
    "create_unique_id": _through("create_unique_id", lambda uid: f"c-{uid}", of_class=True),
    "get_unique_id": _through("get_unique_id"),
    "get_shortname": _through("get_shortname", lambda name: f"short {name}"),
    "__str__": _through("__str__", lambda text: f"<{text}>"),
    "str": _through("str", lambda text: f"{text}."),
    "json": _through("json", lambda text: f"{text} "),
    "create": _through("create", of_class=True),
    "create_base": _through("create_base", of_class=True),
    "update": _through("update"),
    "update_base": _through("update_base"),
    "delete": _through("delete"),
    "delete_base": _through("delete_base"),
    "add_child": _through("add_child"),
    "remove_child": _through("remove_child"),
    "set_status": _through("set_status"),
    "get_status": _through("get_status", lambda status: (status[0], f"{status[1]}?")),
}

_ADAPTER_MARKS: dict[str, Any] = {
    "get_all": _through("get_all", _seen),
    "get_by_uids": _through("get_by_uids", _seen),
    "add": _through("add"),
    "remove": _through("remove"),
    "sync_complete": _through("sync_complete"),
    "sync_from": _through("sync_from"),
    "diff_from": _through("diff_from"),
    "__str__": _through("__str__", lambda text: f"<{text}>"),
    "get": _through("get"),
    "get_or_none": _through("get_or_none"),
    "__len__": _through("__len__"),
}

_STORE_MARKS: dict[str, Any] = {
    "get": _through("get"),
    "get_all": _through("get_all", _seen),
    "get_by_uids": _through("get_by_uids"),
    "get_all_model_names": _through("get_all_model_names"),
    "add": _through("add"),
    "update": _through("update"),
    "remove": _through("remove"),
    "remove_item": _through("remove_item"),
    "count": _through("count"),
    "get_or_instantiate": _through("get_or_instantiate"),
}

OVERRIDES = [
    *(f"model.{name}" for name in _MODEL_MARKS),
    *(f"adapter.{name}" for name in _ADAPTER_MARKS),
    *(f"store.{name}" for name in _STORE_MARKS),
]


def results_of(
    overrides: list[str],
    source: dict[str, Any],
    target: dict[str, Any],
    steps: list[Step],
    store: type[Any] = LocalStore,
) -> list[StepResult]:
    """Run a program; if its set-up raises, return only this exception."""
    structlog.reset_defaults()
    try:
        program = Program(overrides, source, target, store)
    except Exception as error:  # noqa: BLE001  # what it raises is what is compared
        return [{"given": f"raised {type(error).__name__}", "calls": [], "logged": []}]
    found: list[StepResult] = json.loads(json.dumps(program.run(steps)))
    return found


class Reference:
    """diffsync in another process, which `with` ends."""

    def __init__(self, folder: Path) -> None:
        path = os.pathsep.join(map(str, (ROOT, folder)))
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path, "DIFFSYNC_REFERENCE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def results_of(self, **program: Any) -> list[StepResult]:
        """Run a program on diffsync."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(program) + "\n")
        self._process.stdin.flush()
        found: list[StepResult] = json.loads(self._process.stdout.readline())
        return found


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(results_of(**json.loads(line))), flush=True)
