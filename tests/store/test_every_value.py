"""A value of any type comes back as it was loaded: from a store, out of a saved diff, and from the target of a sync."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import os
import pathlib
import re
import types
import uuid
import zoneinfo
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any, ClassVar, Literal, NamedTuple, Optional, Union

import pydantic
import pydantic_extra_types.color
import pydantic_extra_types.mac_address
import pytest
import structlog
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from typing_extensions import TypedDict

from diffsync_store import Adapter, BaseStore, Diff, DiffSyncModel, LocalStore, StoredAdapter
from diffsync_store.diffs import RedisDiffs
from diffsync_store.store.redis import RedisStore
from tests.servers import RedisServer

EXAMPLES = int(os.environ.get("EXAMPLES", "200"))


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Service(enum.Enum):
    SSH = ("tcp", 22)
    DNS = ("udp", 53)


class Tariff(enum.Enum):
    LOW = decimal.Decimal("1.10")
    HIGH = decimal.Decimal("2.2")


class Quarter(enum.Enum):
    FIRST = dt.date(2024, 1, 1)
    SECOND = dt.date(2024, 4, 1)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Name(enum.StrEnum):
    A = "a"
    B = "b"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Bits(enum.IntFlag):
    ONE = 1
    TWO = 2


class Place(pydantic.BaseModel):
    row: int
    seen: dt.datetime | None = None
    tags: set[str] = set()
    _note: str = pydantic.PrivateAttr("nothing")

    @pydantic.field_validator("row")
    @classmethod
    def _next(cls, row: int) -> int:
        return row + 1

    def model_post_init(self, _: Any) -> None:
        self.tags = self.tags | {f"row {self.row}"}


class Shelf(Place):
    height: decimal.Decimal


class Locked(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)

    key: int
    level: Level = Level.LOW


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    when: dt.date

    def __post_init__(self) -> None:
        assert self.x < 10**6


@dataclasses.dataclass(slots=True)
class Slotted:
    items: list[int]


class Pair(NamedTuple):
    left: str
    right: decimal.Decimal


class Row(TypedDict, total=False):
    number: int
    day: dt.date


Made = tuple[Any, st.SearchStrategy[Any], bool]
"""An annotation, values of it, and whether these may stand in a set."""

TEXT = st.text(max_size=8)
ODD_TEXT = st.text(st.characters(exclude_categories=()), max_size=4)
ZONES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.sampled_from([dt.UTC, zoneinfo.ZoneInfo("Europe/Berlin"), zoneinfo.ZoneInfo("UTC"), dt.timezone.min]),
    st.builds(dt.timezone, st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23))),
    st.builds(dt.timezone, st.sampled_from([dt.timedelta(hours=2), dt.timedelta(0)]), st.just("NAME")),
)
EDGES = st.sampled_from([dt.datetime.min, dt.datetime.max, dt.datetime(2024, 10, 27, 2, 30)])  # noqa: DTZ001, DTZ901
MOMENTS = st.builds(
    lambda moment, zone, fold: moment.replace(tzinfo=zone, fold=fold),
    st.one_of(st.datetimes(), EDGES),
    ZONES,
    st.sampled_from([0, 1]),
)
TIMES = st.builds(lambda time, zone: time.replace(tzinfo=zone), st.times(), ZONES)
DECIMALS = st.one_of(
    st.decimals(),
    st.decimals(allow_nan=False, allow_infinity=False, places=30, min_value=-(10**40), max_value=10**40),
    st.sampled_from([decimal.Decimal(text) for text in ("-0", "0E+3", "1.00", "1E+30", "1E-400", "sNaN", "-NaN7")]),
)
WHOLE = st.one_of(st.integers(), st.sampled_from([2**63, 2**64, -(2**200), 1 << 9000]))
PLACES = st.builds(Place, row=st.integers(0, 3), seen=st.none() | MOMENTS, tags=st.frozensets(TEXT, max_size=2))
SHELVES = st.builds(Shelf, row=st.integers(0, 3), height=st.sampled_from([decimal.Decimal("1.0"), decimal.Decimal(2)]))
POINTS = st.builds(Point, st.integers(0, 3), st.dates())
PATTERNS = st.sampled_from([re.compile("a+"), re.compile("b", re.IGNORECASE)])
URLS = st.sampled_from([pydantic.HttpUrl("https://example.com/x?y=1"), pydantic.HttpUrl("http://ü.de")])

SCALARS: list[Made] = [
    (str, TEXT, True),
    (str, ODD_TEXT, True),
    (int, WHOLE, True),
    (float, st.floats(), True),
    (bool, st.booleans(), True),
    (type(None), st.none(), True),
    (bytes, st.binary(max_size=6), True),
    (bytearray, st.binary(max_size=6).map(bytearray), False),
    (complex, st.complex_numbers(), True),
    (decimal.Decimal, DECIMALS.filter(lambda value: not value.is_snan()), True),
    (decimal.Decimal, DECIMALS, False),
    (fractions.Fraction, st.fractions(), True),
    (dt.date, st.dates(), True),
    (dt.datetime, MOMENTS, True),
    (dt.time, TIMES, True),
    (dt.timedelta, st.timedeltas(), True),
    (uuid.UUID, st.uuids(), True),
    (ipaddress.IPv4Address, st.ip_addresses(v=4), True),
    (ipaddress.IPv6Address, st.ip_addresses(v=6), True),
    (ipaddress.IPv4Network, st.ip_addresses(v=4).map(lambda address: ipaddress.ip_network((address, 32))), True),
    (ipaddress.IPv6Interface, st.ip_addresses(v=6).map(lambda address: ipaddress.ip_interface((address, 64))), True),
    (pathlib.PurePosixPath, TEXT.map(pathlib.PurePosixPath), True),
    (pathlib.Path, TEXT.map(pathlib.Path), True),
    (re.Pattern, PATTERNS, True),
    *((kind, st.sampled_from(list(kind)), True) for kind in (Colour, Service, Tariff, Quarter, Level, Name)),
    (Rights, st.sampled_from([Rights(0), Rights.READ, Rights.READ | Rights.WRITE]), True),
    (Bits, st.sampled_from([Bits(0), Bits.ONE, Bits.ONE | Bits.TWO]), True),
    (Literal["a", 1], st.sampled_from(["a", 1]), True),
    (Literal[Colour.RED], st.just(Colour.RED), True),
    (Place, st.one_of(PLACES, SHELVES), False),
    (Locked, st.builds(Locked, key=st.integers(0, 3), level=st.sampled_from(Level)), False),
    (Point, POINTS, False),
    (Slotted, st.builds(Slotted, st.lists(st.integers(0, 3), max_size=2)), False),
    (Pair, st.builds(Pair, TEXT, st.sampled_from([decimal.Decimal("1.50"), decimal.Decimal("1.5")])), True),
    (Row, st.fixed_dictionaries({}, optional={"number": st.integers(), "day": st.dates()}), False),
    (pydantic.HttpUrl, URLS, True),
    (pydantic.ByteSize, st.integers(0, 2**70).map(pydantic.ByteSize), True),
    (pydantic_extra_types.color.Color, st.sampled_from(["red", "#0f0"]).map(pydantic_extra_types.color.Color), True),
    (pydantic.Json, st.recursive(st.integers() | TEXT, lambda inner: st.lists(inner, max_size=2)), False),
]
ANYTHING = st.recursive(
    st.one_of(*(values for _, values, is_hashable in SCALARS[:21] if is_hashable)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.one_of(TEXT, st.integers(), st.none(), st.just("~tag")), inner, max_size=2),
        st.tuples(inner, inner),
    ),
    max_leaves=4,
)


def _of(kind: Any) -> Callable[[Made], Made]:
    def made(part: Made) -> Made:
        annotation: Any
        annotation, values, is_hashable = part
        match kind:
            case "list":
                return types.GenericAlias(list, annotation), st.lists(values, max_size=3), False
            case "tuple":
                return (
                    types.GenericAlias(tuple, (annotation, ...)),
                    st.lists(values, max_size=3).map(tuple),
                    is_hashable,
                )
            case "deque":
                return (
                    deque[annotation],
                    st.builds(deque, st.lists(values, max_size=2), st.sampled_from([None, 5])),
                    False,
                )
            case "optional":
                return Optional[annotation], st.one_of(st.none(), values), is_hashable  # noqa: UP045
            case "dict":
                return (
                    types.GenericAlias(dict, (str, annotation)),
                    st.dictionaries(st.just("~set") | TEXT, values, max_size=3),
                    False,
                )
            case "any":
                return Any, ANYTHING, False
            case _:
                raise AssertionError

    return made


def _of_hashable(kind: Any) -> Callable[[Made], Made]:
    def made(part: Made) -> Made:
        annotation, values, _ = part
        pairs = st.dictionaries(values, st.integers(1, 9), max_size=3)
        match kind:
            case "set":
                return types.GenericAlias(set, annotation), st.sets(values, max_size=3), False
            case "frozenset":
                return types.GenericAlias(frozenset, annotation), st.frozensets(values, max_size=3), True
            case "dict":
                return types.GenericAlias(dict, (annotation, int)), pairs, False
            case "counter":
                return types.GenericAlias(Counter, annotation), pairs.map(Counter), False
            case "ordered":
                return types.GenericAlias(OrderedDict, (annotation, int)), pairs.map(OrderedDict), False
            case "default":
                return (
                    types.GenericAlias(defaultdict, (annotation, int)),
                    pairs.map(lambda found: defaultdict(int, found)),
                    False,
                )
            case _:
                raise AssertionError

    return made


def _either(one: Made, other: Made) -> Made:
    return Union[one[0], other[0]], st.one_of(one[1], other[1]), one[2] and other[2]  # noqa: UP007


def _wider(parts: st.SearchStrategy[Made]) -> st.SearchStrategy[Made]:
    hashable = parts.filter(lambda made: made[2])
    return st.one_of(
        *(parts.map(_of(kind)) for kind in ("list", "tuple", "deque", "optional", "dict", "any")),
        *(hashable.map(_of_hashable(kind)) for kind in ("set", "frozenset", "dict", "counter", "ordered", "default")),
        st.builds(_either, parts, parts),
    )


TYPES: st.SearchStrategy[Made] = st.recursive(st.sampled_from(SCALARS), _wider, max_leaves=4)
IDENTIFIERS = st.sampled_from([made for made in SCALARS if made[2] and made[0] not in {type(None), float}])


class Base(DiffSyncModel):
    """Keeps what a sync gives it."""

    _modelname = "thing"
    received: ClassVar[list[dict[str, Any]]]

    @classmethod
    def create(cls, adapter: Any, ids: dict[str, Any], attrs: dict[str, Any]) -> Any:  # noqa: ARG003
        cls.received.append({**ids, **attrs})
        return made_of(cls, {**ids, **attrs})

    def update(self, attrs: dict[str, Any]) -> Any:
        self.received.append(attrs)
        return super().update(attrs)


@dataclasses.dataclass
class Case:
    """A model, and records of a source and of a target."""

    model: type[Base]
    source: list[dict[str, Any]]
    target: list[dict[str, Any]]
    told: str

    def __repr__(self) -> str:
        return f"{self.told}\n source {self.source}\n target {self.target}"


def model_of(identifier: Any, attributes: list[Any]) -> type[Base]:
    annotations = {"number": int, "key": identifier}
    annotations |= {f"value{at}": annotation for at, annotation in enumerate(attributes)}
    members = {
        "__module__": __name__,
        "__annotations__": annotations,
        "_identifiers": ("number", "key"),
        "_attributes": tuple(annotations)[2:],
        "received": [],
    }
    model: type[Base] = types.new_class("Thing", (Base,), exec_body=lambda namespace: namespace.update(members))
    return model


@st.composite
def cases(draw: Callable[[Any], Any]) -> Case:
    key, keys, _ = draw(IDENTIFIERS)
    made: list[Made] = draw(st.lists(TYPES, min_size=1, max_size=3))
    model = model_of(key, [annotation for annotation, _, _ in made])

    def record(number: int, key: Any) -> dict[str, Any]:
        return {"number": number, "key": key, **{f"value{at}": draw(values) for at, (_, values, _) in enumerate(made)}}

    shared, new, gone = draw(keys), draw(keys), draw(keys)
    source = [record(1, shared), record(2, new), record(4, shared)]
    target = [record(1, shared), record(3, gone), {**source[-1]}]
    return Case(model, source, target, str(model.__annotations__))


def made_of(model: type[Base], fields: dict[str, Any]) -> Base:
    try:
        return model(**fields)
    except pydantic.ValidationError:  # as a program that assigns it
        return model.model_construct(**fields)


def same(one: Any, other: Any) -> bool:  # noqa: PLR0911
    """Equal and of the same type, however deep; NaN too."""
    if type(one) is not type(other):
        return False
    if isinstance(one, pydantic.BaseModel):
        hidden = one.__pydantic_private__ == other.__pydantic_private__
        return hidden and same(dict(one), dict(other))
    if dataclasses.is_dataclass(one):
        return all(same(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(one))
    if isinstance(one, Mapping):
        if getattr(one, "default_factory", None) is not getattr(other, "default_factory", None):
            return False
        return len(one) == len(other) and all(map(same, *(sorted(side.items(), key=told) for side in (one, other))))
    if isinstance(one, set | frozenset):
        return sorted(map(told, one)) == sorted(map(told, other))
    if isinstance(one, list | tuple | deque):
        return (
            len(one) == len(other)
            and all(map(same, one, other))
            and getattr(one, "maxlen", 0) == getattr(other, "maxlen", 0)
        )
    return told(one) == told(other)


def told(value: Any) -> str:
    if isinstance(value, frozenset):
        return str(sorted(map(told, value)))
    if isinstance(value, tuple):
        return str(list(map(told, value)))
    zone = type(value.tzinfo) if isinstance(value, dt.datetime | dt.time) else None
    return f"{type(value)} {zone} {value!r}"


def equal(one: Any, other: Any) -> bool:
    """By `==`, where NaN is in neither."""
    try:
        return bool(one == other)
    except decimal.InvalidOperation:
        return False


def has_nan(value: Any) -> bool:
    return "nan" in repr(value).lower()


def changes(diff: Diff) -> dict[str, Any]:
    return {
        element.name: (str(element.action), sorted(element.get_attrs_diffs().get("+", {})))
        for element in diff.get_children()
        if element.action
    }


class Bench:
    """Makes stores, over one connection."""

    def __init__(self, client: Any) -> None:
        self.client, self.tag = client, uuid.uuid4().hex

    def store(self, name: str) -> RedisStore:
        return RedisStore(store_id=f"value-{self.tag}-{name}", client=self.client, ttl=600)

    def loaded(self, store: BaseStore, model: type[Base], records: list[dict[str, Any]], name: str) -> Adapter:
        adapter_class: Any = type("Things", (Adapter,), {"thing": model, "top_level": ["thing"]})
        adapter: Adapter = adapter_class(name, internal_storage_engine=store)
        with store.loading():
            for fields in records:
                adapter.add(made_of(model, fields))
        return adapter


@pytest.fixture
def new_bench(redis_server: RedisServer) -> Iterator[Callable[[], Bench]]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with closing(redis_server.client()) as client:
        yield lambda: Bench(client)
    structlog.reset_defaults()


def is_text(key: Any) -> bool:
    try:
        str(key).encode()
    except UnicodeEncodeError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__int__ returned non-int")  # of ipaddress, which pydantic gives a bool to try
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of what was assigned without being validated
@pytest.mark.timeout(0)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(case=cases())
def test_a_value_of_any_type_comes_back_as_it_was_loaded(  # noqa: C901
    new_bench: Callable[[], Bench], case: Case
) -> None:
    assume(all(is_text(record["key"]) for record in (*case.source, *case.target)))
    bench, model = new_bench(), case.model
    sides = {"source": case.source, "target": case.target}
    local = {name: bench.loaded(LocalStore(), model, records, name) for name, records in sides.items()}
    redis = {name: bench.loaded(bench.store(name), model, records, name) for name, records in sides.items()}
    things = type(redis["source"])
    for adapter in redis.values():
        adapter.store.close()

    def opened(name: str) -> Adapter:
        return things(name, internal_storage_engine=bench.store(name))

    # load → read
    for name in sides:
        reader, stored = opened(name), StoredAdapter(bench.store(name))
        for obj in local[name].get_all("thing"):
            uid = obj.get_unique_id()
            found = reader.get("thing", uid)
            for field in ("number", "key", *model._attributes):
                assert same(getattr(obj, field), getattr(found, field)), (
                    field,
                    getattr(obj, field),
                    getattr(found, field),
                )
            assert stored.get("thing", uid).get_unique_id() == uid
            assert stored.get("thing", obj.get_identifiers()).get_unique_id() == uid
            assert same(found.get_attrs(), obj.get_attrs())

    # → diff: as `==` says, the same on each store, with digests and without the class
    expected = changes(local["target"].diff_from(local["source"]))
    for fields in case.source:
        obj = made_of(model, fields)
        other = local["target"].get_or_none("thing", obj.get_unique_id())
        if other is not None and not has_nan((obj.get_attrs(), other.get_attrs())):
            mine, others = obj.get_attrs(), other.get_attrs()
            unlike = sorted(name for name in mine if not equal(mine[name], others[name]))
            assert expected.get(obj.get_unique_id(), ("update", []))[1] == unlike
    assert changes(opened("target").diff_from(opened("source"))) == expected
    assert changes(opened("target").diff_from(local["source"])) == expected
    assert changes(StoredAdapter(bench.store("target")).diff_from(StoredAdapter(bench.store("source")))) == expected
    assert changes(opened("target").diff_from(StoredAdapter(bench.store("source")))) == expected

    # → saved diff → apply
    diffs = RedisDiffs(client=bench.client, ttl=600)
    sources = {"of stores": StoredAdapter(bench.store("source")), "of memory": local["source"]}
    targets = {"of stores": StoredAdapter(bench.store("target")), "of memory": local["target"]}
    ids = {way: diffs.compare(sources[way], targets[way], f"value-{bench.tag}-{way[3:]}") for way in sources}
    for way, diff_id in ids.items():
        saved = diffs.open(diff_id)
        assert changes(saved.diff()) == expected
        model.received.clear()
        target = opened("target") if way == "of stores" else local["target"]
        result = saved.apply(sources[way], target)
        assert not result.rejects, result.rejects
        target.store.close()
        given_values = {tuple(sorted(values)): values for values in model.received}
        for values in given_values.values():
            owner = [obj for obj in local["source"].get_all("thing") if values.get("number", obj.number) == obj.number]
            said = [{**obj.get_identifiers(), **obj.get_attrs()} for obj in owner]
            assert any(all(same(plain(values[name]), plain(one[name])) for name in values) for one in said), values
        after = opened("target") if way == "of stores" else target
        for obj in local["source"].get_all("thing"):
            found = after.get("thing", obj.get_unique_id())
            assert equal(found.get_attrs(), obj.get_attrs()) or has_nan(obj.get_attrs()), (
                found.get_attrs(),
                obj.get_attrs(),
            )
        assert changes(after.diff_from(local["source"])) == {}
    assert changes(StoredAdapter(bench.store("target")).diff_from(StoredAdapter(bench.store("source")))) == {}
    for name in sides:
        bench.store(name).drop()
    for diff_id in ids.values():
        diffs.open(diff_id).drop()
    event(f"{len(expected)} operations")


def plain(value: Any) -> Any:
    """As pydantic dumps it: what a hook is given may be an object of the class that the field names."""
    return pydantic.TypeAdapter(Any).dump_python(value)
