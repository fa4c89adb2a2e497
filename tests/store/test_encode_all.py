"""Objects with plain values are encoded together as each of them is alone: the same bytes and digests."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffsync_store import DiffSyncModel, DiffSyncModelFlags
from diffsync_store.exceptions import ObjectNotStorable
from diffsync_store.store.local import LocalStore
from diffsync_store.store.redis.writing.batch import Batch
from diffsync_store.store.redis.writing.model_buffer import ModelBuffer
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


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of what was assigned without being validated
@settings(max_examples=300, deadline=None, derandomize=True)
@given(objects=st.lists(ports(), max_size=8) | st.lists(things(Plain), max_size=8))
def test_many_objects_are_encoded_as_one_by_one(objects: list[DiffSyncModel]) -> None:
    declared = Plain if objects and isinstance(objects[0], Plain) else Port
    together = encode_all(objects, declared)
    if together is None:  # one needs more
        return
    for obj, data, digest in zip(objects, *together, strict=True):
        alone, other = encode_with_digest(obj, declared)
        assert data == alone
        if encode_with_digest(obj, declared)[1] == other:  # an object that cannot be digested has a random one
            assert digest == other


def test_objects_that_need_more_are_not_encoded_together() -> None:
    objects = [Port(device="d", name=str(number), tags=["a"]) for number in range(300)]
    alone = [encode_with_digest(obj, Port) for obj in objects]
    assert encode_all(objects, Port) == ([data for data, _ in alone], [digest for _, digest in alone])
    objects[77].model_flags = DiffSyncModelFlags.IGNORE
    assert encode_all(objects, Port) is None
    objects[77] = FastPort(device="d", name="77")
    assert encode_all(objects, Port) is None


def test_objects_before_one_that_cannot_be_stored_are_written() -> None:
    store = LocalStore(adapter=None)
    buffer = ModelBuffer(store, "port", Port, Port)
    objects = [Port(device="d", name=str(number)) for number in range(700)]
    objects[620].__dict__["tags"] = [object()]
    for obj in objects:
        buffer.add(obj.get_unique_id(), obj)
    queue = Queue()
    with pytest.raises(ObjectNotStorable, match="d__620"):
        list(buffer.write_to(queue, lambda _: None))
    written = [pair for batch in queue.batches for pair in zip(batch.values, batch.digests, strict=True)]
    assert written == [encode_with_digest(obj, Port) for obj in objects[:620]]
    assert list(buffer.adds.values()) == objects[620:]


class Queue:
    """Keeps the batches."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []

    def put(self, batch: Batch) -> None:
        self.batches.append(batch)

    def contains(self, batch: Batch) -> bool:
        return batch in self.batches


@pytest.mark.parametrize("value", [10**3000, [10**3000], {"a": 10**3000}])
def test_an_integer_too_long_for_the_parser_is_tagged(value: Any) -> None:
    objects = [Plain(name=str(number), value=value if number == 1 else 1) for number in range(3)]
    assert encode_all(objects, Plain) is None
    assert b"~int" in encode_with_digest(objects[1], Plain)[0]
