"""Programs as data, so that diffsync and this library can run the same program and be compared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from types import MethodType
from typing import Any

from structlog.testing import capture_logs

Found = dict[str, Any]
MODELS = ("host", "port", "address", "note", "group")
FIELDS = {"port": "ports", "address": "addresses", "note": "notes"}


class Library:
    """The names that programs import from a library."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.root = import_module(package)
        self.diff = import_module(f"{package}.diff")
        self.enum = import_module(f"{package}.enum")
        self.exceptions = import_module(f"{package}.exceptions")
        self.is_reference = package == "diffsync"


@dataclass(frozen=True)
class Node:
    """An object of the two systems: its place, and its values on each side."""

    model: str
    name: str
    on_source: bool = True
    on_target: bool = True
    values: tuple[int, int] = (0, 0)
    """On the source, on the target."""
    flags: tuple[int, int] = (0, 0)
    fails: str = ""
    """The outcome of its create, update or delete: see `MOODS`."""
    children: tuple[Node, ...] = ()

    def nodes(self) -> Iterator[Node]:
        """Yield this node and its descendants."""
        yield self
        for child in self.children:
            yield from child.nodes()


MOODS = ("refused", "broken", "none", "failure", "error")
"""Raises an exception of the library, raises another one, returns None, sets a status."""


@dataclass(frozen=True)
class Overrides:
    """The methods that one adapter overrides."""

    get_all: str = ""
    """`backwards`, or `hides` what ends in 1."""
    get_by_uids: str = ""
    get: str = ""
    on: str = "class"
    """Where the methods are defined: on the `class`, a `mixin` or the `object`."""


@dataclass(frozen=True)
class Program:
    """Two systems, their declarations, and the steps to run."""

    nodes: tuple[Node, ...]
    kinds: tuple[tuple[str, ...], tuple[str, ...]] = (("port", "address"), ("port", "address"))
    """The child models in the order of `_children`, of the source's and of the target's classes."""
    backwards: tuple[bool, bool] = (False, False)
    """Objects are added, and listed, from the last to the first."""
    top_level: tuple[tuple[str, ...], tuple[str, ...]] = (("host",), ("host",))
    flags: tuple[str, ...] = ()
    orders: dict[str, str] = field(default_factory=dict)
    """How a class of diff orders a model's elements, by model; `default` and `all` are keys too."""
    overrides: tuple[Overrides, Overrides] = (Overrides(), Overrides())
    says: str = ""
    """The methods that the models override."""
    renamed: tuple[str, str] = ("", "")
    """An object of each side that is renamed after it was added."""
    lost: tuple[str, str] = ("", "")
    """A child of each side that is listed but does not exist."""
    way: str = "sync_from"
    stale: str = ""
    """An object to remove from the target between the diff and the sync."""

    def all_nodes(self) -> list[Node]:
        return [found for node in self.nodes for found in node.nodes()]

    def flags_of(self, library: Library) -> Any:
        found = library.enum.DiffSyncFlags.NONE
        for name in self.flags:
            found |= library.enum.DiffSyncFlags[name]
        return found


class Run:
    """One run of a program with one library on stores of one kind."""

    def __init__(self, program: Program, library: Library, new_store: Callable[[], Any]) -> None:
        self.program = program
        self.library = library
        self.calls: list[Any] = []
        self.progress: list[tuple[str, int, int]] = []
        self.moods = {node.name: node.fails for node in program.all_nodes()}
        self.held: list[Any] = []
        self.source, self.target = (self._adapter(side, new_store()) for side in (0, 1))

    # Declarations

    def _adapter(self, side: int, store: Any) -> Any:
        kinds, overrides = self.program.kinds[side], self.program.overrides[side]
        below = {"host": kinds, "port": tuple(kind for kind in kinds if kind != "port")}
        body: Found = {
            model: model_class(self.library, model, below.get(model, ()), self.program.says) for model in MODELS
        }
        body |= {"top_level": list(self.program.top_level[side]), "sync_complete": completed, "run": self}
        methods = self._methods(overrides)
        adapter_class = self.library.root.Adapter
        if overrides.on == "mixin" and methods:
            adapter_class = type("Mixed", (type("Mixin", (), methods), adapter_class), body)
        else:
            adapter_class = type("Network", (adapter_class,), {**body, **(methods if overrides.on == "class" else {})})
        adapter = adapter_class("ST"[side], internal_storage_engine=store)
        self._load(adapter, side)
        if overrides.on == "object":
            for name, method in methods.items():
                setattr(adapter, name, MethodType(method, adapter))
        return adapter

    def _methods(self, overrides: Overrides) -> Found:
        base = self.library.root.Adapter

        def hidden(name: str) -> bool:
            return name.endswith("1")

        def get_all(adapter: Any, obj: Any) -> list[Any]:
            found = base.get_all(adapter, obj)
            return found[::-1] if overrides.get_all == "backwards" else [one for one in found if not hidden(one.name)]

        def get_by_uids(adapter: Any, uids: list[str], obj: Any) -> list[Any]:
            found = base.get_by_uids(adapter, uids, obj)
            return (
                found[::-1] if overrides.get_by_uids == "backwards" else [one for one in found if not hidden(one.name)]
            )

        def get(adapter: Any, obj: Any, identifier: Any) -> Any:
            found = base.get(adapter, obj, identifier)
            if hidden(found.name):
                raise self.library.exceptions.ObjectNotFound("hidden")
            return found

        methods = {"get_all": get_all, "get_by_uids": get_by_uids, "get": get}
        return {name: method for name, method in methods.items() if getattr(overrides, name)}

    def end(self, obj: Any, error: str) -> Any:
        """End an operation with the outcome of the object's mood."""
        mood = self.moods.get(obj.name, "")
        # With CONTINUE_ON_FAILURE, this library continues after any exception; diffsync only after its own.
        if mood == "broken" and not (self.library.is_reference and "CONTINUE_ON_FAILURE" in self.program.flags):
            raise ValueError(f"{obj.name} is broken")
        if mood in {"refused", "broken"}:
            raise getattr(self.library.exceptions, error)(f"{obj.name} is {mood}")
        if mood in {"failure", "error"}:
            obj.set_status(self.library.enum.DiffSyncStatus[mood.upper()], f"{obj.name} is a {mood}")
        self.held.append(obj)
        return None if mood == "none" else obj

    # Content

    def _load(self, adapter: Any, side: int) -> None:
        self._add_all(adapter, side, self.program.nodes, None)
        renamed = self.program.renamed[side]
        for model in MODELS if renamed else ():
            for obj in adapter.store.get_all(model=model):
                if obj.name == renamed:
                    obj.name = f"{renamed}!"
                    self.held.append(obj)

    def _add_all(self, adapter: Any, side: int, nodes: tuple[Node, ...], parent: Any) -> None:
        for node in reversed(nodes) if self.program.backwards[side] else nodes:
            if not (node.on_target if side else node.on_source):
                continue
            flags = self.library.enum.DiffSyncModelFlags(node.flags[side])
            obj = getattr(adapter, node.model)(name=node.name, value=node.values[side], model_flags=flags)
            if parent is not None:
                getattr(parent, FIELDS[node.model]).append(node.name)
            if node.name != self.program.lost[side] or parent is None:
                adapter.add(obj)
                self.held.append(obj)
            self._add_all(adapter, side, node.children, obj)

    def _diff_class(self) -> Any:
        orders = self.program.orders

        def ordered(how: str) -> Any:
            def order(cls: Any, children: Found) -> Iterator[Any]:
                names = sorted(children, reverse=how == "backwards")
                yield from (children[name] for name in names)

            return classmethod(order)

        body: Found = {f"order_children_{model}": ordered(how) for model, how in orders.items() if model != "all"}
        base = self.library.diff.Diff
        if orders.get("all") == "deletes first":
            body["get_children"] = lambda diff: iter(
                sorted(base.get_children(diff), key=lambda element: element.action != "delete")
            )
        elif orders.get("all") == "models backwards":

            def get_children(diff: Any) -> Iterator[Any]:
                for model in reversed(diff.groups()):
                    yield from getattr(diff, f"order_children_{model}", diff.order_children_default)(
                        diff.children[model]
                    )

            body["get_children"] = get_children
        return type("Ordered", (base,), body)

    # Steps

    def do(self) -> Found:
        """Run the program; return everything that is visible of it."""
        diff, error = None, ""
        diff_class, flags = self._diff_class(), self.program.flags_of(self.library)
        with capture_logs() as logged:
            try:
                diff = self._do(diff_class, flags)
            except Exception as raised:  # noqa: BLE001  # whatever it is, it has to be the same
                error = type(raised).__name__
                if self._is_logged_only_here(logged, raised):
                    del logged[-1]
        return {
            "error": error,
            "is_refused": any(
                event["event"].startswith("The system accepted the change, but the store") for event in logged
            ),
            "calls": self.calls,
            "events": self._events(logged),
            "skips": Counter(event["unique_id"] + event["event"] for event in logged if "Skipping" in event["event"]),
            "diff": None if diff is None else self.describe(diff),
            "progress": self.progress,
            "source": self._content(self.source),
            "target": self._content(self.target),
        }

    def _do(self, diff_class: Any, flags: Any) -> Any:
        def callback(stage: str, done: int, total: int) -> None:
            self.progress.append((stage, done, total))

        given = {"diff_class": diff_class, "flags": flags, "callback": callback}
        if self.program.way == "sync_to":
            return self.source.sync_to(self.target, **given)
        if self.program.way == "sync_from":
            return self.target.sync_from(self.source, **given)
        diff = self.target.diff_from(self.source, **given)
        if self.program.way == "diff" or not len(diff):  # diffsync takes an empty one for none
            return diff
        for model in MODELS if self.program.stale else ():
            for obj in self.target.store.get_all(model=model):
                if obj.name == self.program.stale:
                    self.target.remove(obj)
        return self.target.sync_from(self.source, diff=diff, **given)

    def describe(self, diff: Any) -> Found:
        """Return the content of a diff as data."""
        return {
            "str": diff.str(),
            "dict": json.dumps(diff.dict()),
            "summary": json.dumps(diff.summary()),
            "len": len(diff),
            "has_diffs": diff.has_diffs(),
            "models_processed": diff.models_processed,
            "order": list(order_of(diff)),
        }

    def _is_logged_only_here(self, logged: list[Any], raised: Exception) -> bool:
        """This library also logs exceptions that are not its own."""
        is_foreign = not isinstance(raised, self.library.exceptions.ObjectCrudException)
        return is_foreign and bool(logged) and logged[-1]["event"] == str(raised)

    def _events(self, events: list[Any]) -> list[Any]:
        naturally = self.library.enum.DiffSyncModelFlags.NATURAL_DELETION_ORDER.value
        # diffsync logs a parent that is deleted after its children under the model and id of the last child.
        is_natural = any(node.flags[1] & naturally for node in self.program.all_nodes())
        names = ("log_level", "event", "action", "status", *(() if is_natural else ("model", "unique_id", "diffs")))
        events = []
        for event in events:
            # This library does not visit unchanged objects, so it does not report missing ones.
            passes_by = "LOG_UNCHANGED_RECORDS" not in self.program.flags and event.get("action", "") is None
            if "Skipping" in event["event"] or passes_by:
                continue
            found = [json.dumps(event[name]) if name in event else None for name in names]
            if "not present" in event["event"] or "child" in event["event"]:
                found[1] = None  # each library has its own wording
            if is_natural and event["event"].endswith(_NOT_RETURNED):
                found[1] = _NOT_RETURNED
            events.append(found)
        return events

    def _content(self, adapter: Any) -> Found:
        found: Found = {}
        visited = "LOG_UNCHANGED_RECORDS" in self.program.flags
        for model in MODELS:
            for obj in adapter.store.get_all(model=model):
                lists = [getattr(obj, name, None) for name in FIELDS.values()]
                status, message = obj.get_status()
                # Only visited objects have a status, and this library does not visit unchanged ones.
                known = [status.value, message] if visited or (message and status.value != "unknown") else None
                found.setdefault(model, []).append([obj.name, obj.value, lists, obj.model_flags.value, known])
        return found


_NOT_RETURNED = " delete did not return the model object."
"""Follows the name of the model."""


@cache
def model_class(library: Library, name: str, children: tuple[str, ...], says: str) -> Any:
    """Return a model whose calls are recorded in the run of its adapter."""
    fields: Found = {FIELDS[child]: [] for child in children}
    body: Found = {
        "__module__": __name__,
        "__annotations__": {"name": str, "value": int, "kept": int, **dict.fromkeys(fields, list[str])},
        "_modelname": name,
        "_identifiers": ("name",),
        "_attributes": ("kept", "value"),
        "_children": {child: FIELDS[child] for child in children},
        "value": 0,
        "kept": 0,
        "create": classmethod(create),
        "update": update,
        "delete": delete,
        **fields,
    }
    base = library.root.DiffSyncModel

    def said(obj: Any, **options: Any) -> Found:
        found: Found = base.dict(obj, **options)
        return found | ({"value": found["value"] // 2} if "value" in found else {})

    statements: Found = {
        "get_attrs": lambda obj: {"kept": obj.kept, "value": obj.value // 2},
        "get_shortname": lambda obj: f"<{obj.name}>",
        "dict": said,
        "get_children_mapping": classmethod(lambda cls: dict(reversed(cls._children.items()))),
    }
    body |= {statement: method for statement, method in statements.items() if statement == says}
    return type(name.title(), (base,), body)


def create(cls: Any, adapter: Any, ids: Found, attrs: Found) -> Any:
    adapter.run.calls.append(["create", cls.get_type(), list(ids.items()), list(attrs.items())])
    return adapter.run.end(cls.create_base(adapter, ids, attrs), "ObjectNotCreated")


def update(obj: Any, attrs: Found) -> Any:
    obj.adapter.run.calls.append(["update", obj.get_type(), obj.name, list(attrs.items())])
    return obj.adapter.run.end(obj.update_base(attrs), "ObjectNotUpdated")


def delete(obj: Any) -> Any:
    obj.adapter.run.calls.append(["delete", obj.get_type(), obj.name])
    return obj.adapter.run.end(obj.delete_base(), "ObjectNotDeleted")


def completed(adapter: Any, source: Any, diff: Any, flags: Any, logger: Any) -> None:
    adapter.run.calls.append(["complete", source.name, flags.value])


def order_of(diff: Any, depth: int = 0) -> Iterator[tuple[int, str, str, str]]:
    """Yield the elements of a diff in the order of a sync."""
    for element in diff.get_children():
        if element.has_diffs():
            yield depth, str(element.action), element.type, element.name
            yield from order_of(element, depth + 1)
