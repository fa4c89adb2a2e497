"""Many objects are encoded as each of them is alone: the same bytes and digests, and an error at the object that has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffsync_store import DiffSyncModel, DiffSyncModelFlags
from diffsync_store.exceptions import ObjectNotStorable
from diffsync_store.store.serialization import encode_all, encode_with_digest
from tests.store.test_digest_of_objects import FLAGS, SCALARS, Plain, things


class Port(DiffSyncModel):
    _modelname = "port"
    _identifiers = ("device", "name")
    _attributes = ("speed", "tags", "limits")
    _children: ClassVar[dict[str, str]] = {"port": "ports"}
    device: str
    name: str
    speed: float | None = None
    tags: list[str] = []
    limits: dict[str, int] = {}
    ports: list[str] = []


class FastPort(Port):
    """Another class of the same model."""


@st.composite
def ports(draw: st.DrawFn) -> Port:
    """Draw an object that is mostly as its class says, with values that nothing has validated."""
    obj = draw(st.sampled_from([Port] * 9 + [FastPort]))(device="d", name=draw(st.sampled_from(["a", "é"])), speed=1.5)
    if draw(st.integers(0, 3)) == 0:
        obj.tags, obj.limits = draw(st.lists(st.sampled_from(["x", "é"]), max_size=3)), {"a": 1}
    if draw(st.integers(0, 3)) == 0:
        obj.ports = draw(st.lists(st.sampled_from(["b", "a", "b"]), max_size=3))
    if draw(st.integers(0, 15)) == 0:
        obj.model_flags = draw(st.sampled_from(FLAGS))
    if draw(st.integers(0, 15)) == 0:
        name = draw(st.sampled_from(["name", "speed", "tags", "limits", "ports"]))
        value = draw(st.sampled_from([*SCALARS, object()]))
        obj.__dict__[name] = draw(st.sampled_from([value, [value], {"a": value}]))
    if draw(st.integers(0, 31)) == 0:
        del obj.__dict__[draw(st.sampled_from(["speed", "tags", "ports"]))]
    return obj


def until_error(encoded: Iterator[tuple[bytes, bytes]]) -> tuple[list[tuple[bytes, bytes]], str]:
    """Return what is encoded before an error, and the error."""
    found = []
    try:
        for pair in encoded:
            found.append(pair)  # noqa: PERF402  # keeps those before the error
    except ObjectNotStorable as error:
        return found, str(error)
    return found, ""


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of what was assigned without being validated
@settings(max_examples=300, deadline=None, derandomize=True)
@given(objects=st.lists(ports(), max_size=8) | st.lists(things(Plain), max_size=8))
def test_many_objects_are_encoded_as_one_by_one(objects: list[DiffSyncModel]) -> None:
    declared = Plain if objects and isinstance(objects[0], Plain) else Port
    together, error = until_error(encode_all(objects, declared))
    alone, expected = until_error(encode_with_digest(obj, declared) for obj in objects)
    assert error == expected
    assert [data for data, _ in together] == [data for data, _ in alone]
    for (_, digest), (_, other), obj in zip(together, alone, objects, strict=False):
        if encode_with_digest(obj, declared)[1] == other:  # an object that cannot be digested has a random one
            assert digest == other


def test_more_objects_than_are_encoded_at_once() -> None:
    objects = [Port(device="d", name=str(number), tags=["a"]) for number in range(1234)]
    objects[777].model_flags = DiffSyncModelFlags.IGNORE
    assert list(encode_all(iter(objects), Port)) == [encode_with_digest(obj, Port) for obj in objects]
    assert list(encode_all([], Port)) == []
    assert list(encode_all(objects[:3], None)) == [encode_with_digest(obj) for obj in objects[:3]]


def test_objects_before_one_that_cannot_be_stored_are_encoded() -> None:
    objects = [Port(device="d", name=str(number)) for number in range(150)]
    objects[120].__dict__["tags"] = [object()]
    encoded = encode_all(objects, Port)
    assert [next(encoded) for _ in range(120)] == [encode_with_digest(obj, Port) for obj in objects[:120]]
    with pytest.raises(ObjectNotStorable, match="d__120"):
        next(encoded)


@pytest.mark.parametrize("value", [10**3000, [10**3000], {"a": 10**3000}])
def test_an_integer_too_long_for_the_parser_is_tagged(value: Any) -> None:
    objects = [Plain(name=str(number), value=value if number == 1 else 1) for number in range(3)]
    assert [data for data, _ in encode_all(objects, Plain)] == [encode_with_digest(obj, Plain)[0] for obj in objects]
    assert b"~int" in list(encode_all(objects, Plain))[1][0]
