"""Equal digests mean equal objects: what a diff compares, the flags and the children."""

from __future__ import annotations

import datetime as dt
import enum
import math
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffsync_store import DiffSyncModel, DiffSyncModelFlags
from diffsync_store.exceptions import ObjectNotStorable
from diffsync_store.store.digest import SIZE, digest_of, fingerprint
from diffsync_store.store.serialization import decode, encode, encode_with_digest
from diffsync_store.values.codec import equal


class Colour(str, enum.Enum):  # noqa: UP042  # its `str` is another text
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Plain(DiffSyncModel):
    """Has values of any type, and fields that are not compared."""

    _modelname = "thing"
    _identifiers = ("name",)
    _shortname = ("label",)
    _attributes = ("value", "other")
    _children: ClassVar[dict[str, str]] = {"port": "ports", "room": "rooms"}
    name: Any
    value: Any = None
    other: Any = None
    label: Any = ""
    note: Any = None
    ports: list[str] = []
    rooms: list[str] = []


class Extra(Plain, extra="allow"):
    """Also takes fields that its class does not name."""


class Overriding(Plain):
    """Compares less than its fields."""

    def get_attrs(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_attrs().items() if value is not None}


CLASSES: list[type[Plain]] = [Plain, Extra, Overriding]
SCALARS: list[Any] = [
    *(0, 1, -1, 2**53 + 1, 2**64, 10**400, 0.0, -0.0, 1.0, 0.1, math.nan, math.inf, -math.inf, True, False, None),
    *("", "1", "true", "null", "NaN", "é", "e\u0301", "\x00", '"', "~1", "\ud800", "red", Colour.RED, Level.LOW),
    *(dt.date(2020, 1, 1), "2020-01-01", b"1"),
]
VALUES = st.recursive(
    st.sampled_from(SCALARS),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "~int"]), below, max_size=2)
        | st.tuples(below)
    ),
    max_leaves=4,
)
FLAGS = [
    DiffSyncModelFlags.NONE,
    *DiffSyncModelFlags,
    DiffSyncModelFlags.IGNORE | DiffSyncModelFlags.NATURAL_DELETION_ORDER,
]
CHILDREN = st.lists(st.sampled_from(["a", "b", "a__b", '","']), max_size=3)


@st.composite
def things(draw: st.DrawFn, model: type[Plain]) -> Plain:
    """Draw an object, mostly one with few peculiarities, so that two are often equal."""
    names = draw(st.sets(st.sampled_from(["name", "value", "other", "label", "note"]), max_size=2))
    obj = model.model_construct(name="a")
    for name in sorted(names):
        obj.__dict__[name] = draw(VALUES)
    if draw(st.integers(0, 3)) == 0:
        obj.ports, obj.rooms = draw(CHILDREN), draw(CHILDREN)
    if draw(st.integers(0, 3)) == 0:
        obj.model_flags = draw(st.sampled_from(FLAGS))
    if draw(st.integers(0, 7)) == 0:
        del obj.__dict__[draw(st.sampled_from(["value", "label", "note", "ports"]))]
    return obj


def compared(obj: Plain) -> list[Any]:
    """What a diff and a sync look at."""
    children = [sorted(set(getattr(obj, field))) for field in obj.get_children_mapping().values()]
    return [obj.get_identifiers(), obj.get_attrs(), obj.label, obj.model_flags.value, children]


@settings(max_examples=800, deadline=None, derandomize=True)
@given(data=st.data())
def test_equal_digests_mean_equal_objects(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(CLASSES))
    first, second = data.draw(things(model)), data.draw(things(model))
    digests = [digest_of(first), digest_of(second)]
    assert {len(digest) for digest in digests} == {SIZE + 1}
    for obj, digest in zip((first, second), digests, strict=True):
        assert digest[-1:] == (b"i" if obj.model_flags & DiffSyncModelFlags.IGNORE else b"-")
    if digests[0] == digests[1]:
        assert equal(compared(first), compared(second))


@settings(max_examples=500, deadline=None, derandomize=True)
@given(data=st.data())
def test_an_object_is_encoded_with_its_digest_and_read_with_the_same_one(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from([Plain, Extra]))
    obj = data.draw(things(model))
    try:
        written, digest = encode_with_digest(obj, model)
    except ObjectNotStorable:
        return
    assert written == encode(obj, model)
    if model.model_fields.keys() <= obj.__dict__.keys():  # the defaults of absent ones are read
        again = decode(model, written, "a")
        assert equal(compared(again), compared(obj))
        if encode(again, model) == written and digest == digest_of(obj):  # an object without a digest has a random one
            assert digest == digest_of(again)


@pytest.mark.parametrize("value", SCALARS, ids=repr)
def test_equal_objects_of_equal_types_have_equal_digests(value: Any) -> None:
    same = [model(name="a", value=[value], other=value) for model in (Plain, Plain, Extra)]
    assert len({digest_of(obj) for obj in same}) == 1


def test_one_and_true_and_text_have_digests_of_their_own() -> None:
    digests = {digest_of(Plain(name="a", value=value)) for value in (1, True, 1.0, "1", "true", [1], None, "null")}
    assert len(digests) == 8


def test_each_flag_changes_the_digest_and_ignored_objects_are_marked() -> None:
    digests = [digest_of(Plain(name="a", model_flags=flags)) for flags in FLAGS]
    assert len({digest[:SIZE] for digest in digests}) == len(set(FLAGS))


def test_the_order_of_children_does_not_change_the_digest_and_their_model_does() -> None:
    first, second = (Plain(name="a", ports=ports) for ports in (["x", "y"], ["y", "x", "x"]))
    assert digest_of(first) == digest_of(second) != digest_of(Plain(name="a", rooms=["x", "y"]))


def test_fields_that_are_not_compared_do_not_change_the_digest() -> None:
    assert digest_of(Plain(name="a", note="1")) == digest_of(Plain(name="a", note=2))


def test_objects_of_classes_that_compare_alike_have_equal_digests() -> None:
    class Other(DiffSyncModel):
        """The same compared fields in another order, and other fields."""

        _modelname = "thing"
        _identifiers = ("name",)
        _shortname = ("label",)
        _attributes = ("other", "value")
        _children: ClassVar[dict[str, str]] = {"room": "below", "port": "sockets"}
        below: list[str] = []
        sockets: list[str] = []
        other: int = 0
        value: str = ""
        label: str = ""
        key: int = 7
        name: str

    one = Plain(name="a", value="x", other=3, label="A", ports=["p"], rooms=["r"])
    other = Other(name="a", value="x", other=3, label="A", sockets=["p"], below=["r"])
    assert fingerprint(Plain) == fingerprint(Other)
    assert digest_of(one) == digest_of(other)
