from typing import Any

import pytest

from diffsync_store import StoreState
from diffsync_store.adapters.python import PythonAdapter
from diffsync_store.mapping import ModelDefinition

MODELS = {
    "device": ModelDefinition.model_validate({"identifiers": {"name": "str"}, "attributes": {"rack": "int?"}}),
}
MODULE = "tests.adapters.python_records"


def loaded(source: str, own: dict[str, Any] | None = None, **settings: Any) -> PythonAdapter:
    records = {"device": {"from": source, "arguments": own or {}}}
    adapter = PythonAdapter(settings, MODELS, records)
    with adapter.store.loading():
        adapter.load()
    return adapter


def names(adapter: PythonAdapter) -> list[str]:
    return [device.name for device in adapter.get_all("device")]


@pytest.mark.parametrize("name", ["rows", "DEVICES", "frame", "polars"])
def test_anything_that_yields_mappings_is_a_source(name: str) -> None:
    adapter = loaded(f"{MODULE}:{name}")
    assert names(adapter) == ["a", "b"]
    assert adapter.get("device", "b").rack == (None if name == "frame" else 2)
    assert adapter.store.state is StoreState.COMPLETE


def test_arguments_are_passed_by_name() -> None:
    assert names(loaded(f"{MODULE}:generator")) == ["d0", "d1", "d2"]
    assert names(loaded("generator", module=MODULE, arguments={"number": 1})) == ["d0"]
    assert names(loaded("generator", {"first": 5}, module=MODULE, arguments={"number": 1, "first": 1})) == ["d5"]


def test_a_resource_is_iterated_over_or_called() -> None:
    assert names(loaded(f"{MODULE}:resource")) == ["d0", "d1"]
    assert names(loaded(f"{MODULE}:resource", {"number": 1})) == ["d0"]


def test_pages_are_read_and_what_is_no_record_is_rejected() -> None:
    adapter = loaded(f"{MODULE}:pages")
    assert names(adapter) == ["a", "b"]
    [reject] = adapter.store.record().gaps["device"].rejects
    assert (reject.what, reject.reason) == (
        "no record",
        "TypeError: A record must be a mapping, not str.",
    )


def test_an_exception_of_the_function_fails_the_load() -> None:
    adapter = PythonAdapter({}, MODELS, {"device": {"from": f"{MODULE}:broken"}})
    with pytest.raises(ConnectionError, match="the API is gone"), adapter.store.loading():
        adapter.load()
    assert adapter.store.state is StoreState.FAILED


@pytest.mark.parametrize(
    ("source", "arguments", "error", "message"),
    [
        ("rows", {}, ValueError, "names no function. Write `module:function`"),
        (f"{MODULE}:none", {}, LookupError, "has no function 'none'"),
        (f"{MODULE}:_private", {}, LookupError, "has no function '_private'"),
        ("no.such.module:rows", {}, LookupError, "there is no module 'no'"),
        (f"{MODULE}:rows.__globals__", {}, ValueError, "names no function"),
        (f"{MODULE}:text", {}, TypeError, "returns str, not records. Return"),
        (f"{MODULE}:NUMBER", {"x": 1}, TypeError, "cannot be called"),
        (f"{MODULE}:rows", {"x": 1}, TypeError, "unexpected keyword argument 'x'"),
    ],
)
def test_a_wrong_source_names_the_thing(source: str, arguments: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error) as caught:
        loaded(source, arguments)
    assert message in str(caught.value)


def test_it_does_not_write() -> None:
    adapter = loaded(f"{MODULE}:rows")
    with pytest.raises(NotImplementedError, match="PythonAdapter does not write records"):
        adapter.create_records(adapter.models["device"], [({"name": "x"}, {})])
