"""Saved diffs: what was compared in one process is what another one sees, and applies."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
from typer.testing import CliRunner

from diffsync_store import (
    Adapter,
    BaseStore,
    Diff,
    DiffElement,
    DiffNotFound,
    DiffSyncFlags,
    DiffSyncModel,
    DiffSyncModelFlags,
    LocalStore,
    ObjectNotCreated,
    ObjectNotFound,
    ObjectNotStorable,
    ObjectStoreException,
    StoredAdapter,
)
from diffsync_store.cli.commands import app
from diffsync_store.diffs import RedisDiffs
from diffsync_store.guards import Guards
from diffsync_store.store.redis import RedisLeases
from diffsync_store.sync import reject_export as report
from tests.servers import RedisServer
from tests.store.child import run
from tests.store.conftest import NewStore, OpenStore, keys_of
from tests.store.inventory import Device, Inventory, Site, content, flat, open_store, read_sites, sites


@pytest.fixture
def diffs(redis_url: str) -> Iterator[RedisDiffs]:
    diffs = RedisDiffs(url=redis_url, ttl=3600)
    yield diffs
    diffs.close()


@pytest.fixture
def diff_id(redis_server: RedisServer, diffs: RedisDiffs) -> Iterator[str]:
    """An id of the test's own; a diff that was saved under it is dropped after the test, and leaves nothing."""
    diff_id = f"diff-{uuid.uuid4().hex}"
    yield diff_id
    with suppress(DiffNotFound):
        diffs.open(diff_id).drop()
    with closing(redis_server.client()) as client:
        assert keys_of(client, diff_id) == set()
        assert client.zscore("ds:diffs", diff_id) is None


def fill(adapter: Inventory, roles: dict[str, dict[str, str]], region: str = "north") -> Inventory:
    for site_name, devices in roles.items():
        site = Site(name=site_name, region=region)
        adapter.add(site)
        for name, role in devices.items():
            device = Device(name=name, role=role, site=site_name)
            adapter.add(device)
            site.add_child(device)
    return adapter


SOURCE = {
    "ber": {"ber-1": "leaf", "ber-2": "spine"},
    "muc": {"muc-1": "leaf"},
    "fra": {"fra-1": "leaf"},
    "same": {"same-1": "leaf"},
}
TARGET = {
    "old": {"old-1": "leaf"},
    "muc": {"muc-1": "leaf", "muc-2": "leaf"},
    "ber": {"ber-1": "border", "ber-2": "spine"},
    "same": {"same-1": "leaf"},
}


def source(store: BaseStore | type[BaseStore] = LocalStore) -> Inventory:
    adapter = fill(sites(store), SOURCE)
    adapter.name = "S"
    adapter.get(Site, "ber").tags.append("new")
    return adapter


def target(store: BaseStore | type[BaseStore] = LocalStore) -> Inventory:
    adapter = fill(sites(store), TARGET)
    adapter.name = "T"
    return adapter


def walk(diff: Diff | DiffElement, above: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
    """Every element that has something to do, in order, with everything that it says."""
    found: list[tuple[Any, ...]] = []
    for element in diff.get_children():
        if element.has_diffs():
            facts = (element.action, element.keys, element.source_attrs, element.dest_attrs, element.get_attrs_diffs())
            names = (element.type, element.name, element.source_name, element.dest_name)
            found += [(above, *names, *facts, element.uid, element.flags), *walk(element, (*above, element.name))]
    return found


def check_round_trip(diffs: RedisDiffs, diff_id: str, diff: Diff) -> Diff:
    assert diffs.save(diff, diff_id) == diff_id
    saved = diffs.open(diff_id)
    again = saved.diff()
    assert again.dict() == diff.dict()
    assert list(again.dict()) == list(diff.dict())
    assert again.str() == diff.str()
    assert again.summary() == diff.summary() == saved.record.summary
    assert len(again) == len(diff)
    assert again.has_diffs() == diff.has_diffs()
    assert walk(again) == walk(diff)
    return again


def test_a_saved_diff_is_the_diff(diffs: RedisDiffs, diff_id: str) -> None:
    check_round_trip(diffs, diff_id, target().diff_from(source()))


@pytest.mark.parametrize(
    "flags",
    [DiffSyncFlags.SKIP_UNMATCHED_SRC, DiffSyncFlags.SKIP_UNMATCHED_BOTH, DiffSyncFlags.LOG_UNCHANGED_RECORDS],
)
def test_a_saved_diff_made_with_flags_is_the_diff(diffs: RedisDiffs, diff_id: str, flags: DiffSyncFlags) -> None:
    check_round_trip(diffs, diff_id, target().diff_from(source(), flags=flags))


class Reversed(Diff):
    @classmethod
    def order_children_site(cls, children: dict[str, DiffElement]) -> Iterator[DiffElement]:
        yield from sorted(children.values(), reverse=True)

    @classmethod
    def order_children_device(cls, children: dict[str, DiffElement]) -> Iterator[DiffElement]:
        yield from reversed(list(children.values()))


class DeletesFirst(Diff):
    def get_children(self) -> Iterator[DiffElement]:
        yield from sorted(super().get_children(), key=lambda element: element.action != "delete")


class TwoModels(Adapter):
    site = Site
    device = Device
    top_level = ["site", "device"]


class Interleaved(Diff):
    """Takes elements of two models in turn, which no order by model can say."""

    def get_children(self) -> Iterator[DiffElement]:
        yield from sorted(super().get_children(), key=lambda element: (element.name, element.type))


@pytest.mark.parametrize("diff_class", [Reversed, DeletesFirst])
def test_a_diff_class_decides_the_order_when_the_diff_is_saved(
    diffs: RedisDiffs, diff_id: str, diff_class: type[Diff]
) -> None:
    diff = target().diff_from(source(), diff_class=diff_class)
    plain = target().diff_from(source())
    assert walk(diff) != walk(plain)
    diffs.save(diff, diff_id)
    assert walk(diffs.open(diff_id).diff()) == walk(diff)
    assert diffs.open(diff_id).diff().dict() == diff.dict()
    assert diffs.open(diff_id).diff().summary() == diff.summary()


@pytest.mark.parametrize("diff_class", [Reversed, DeletesFirst])
def test_a_diff_with_an_order_of_its_own_is_the_same_text_when_it_was_saved(
    diffs: RedisDiffs, diff_id: str, diff_class: type[Diff]
) -> None:
    diff = target().diff_from(source(), diff_class=diff_class)
    diffs.save(diff, diff_id)
    assert diffs.open(diff_id).diff().str() == diff.str()


def test_two_models_may_take_turns(diffs: RedisDiffs, diff_id: str) -> None:
    wanted = TwoModels("S")
    for name in ("a", "b", "c"):
        wanted.add(Site(name=name))
        wanted.add(Device(name=name))
    diff = TwoModels("T").diff_from(wanted, diff_class=Interleaved)
    diffs.save(diff, diff_id)
    names = [(element.name, element.type) for element in diffs.open(diff_id).diff().get_children()]
    assert names == [(name, model) for name in ("a", "b", "c") for model in ("device", "site")]


def test_an_operation_says_all_there_is_to_say(diffs: RedisDiffs, diff_id: str) -> None:
    diffs.save(target().diff_from(source()), diff_id)
    operations = {(operation.model, operation.name): operation for operation in diffs.open(diff_id).operations()}
    update = operations["device", "ber-1"]
    assert update.action == "update"
    assert update.identifiers == {"name": "ber-1"}
    assert update.unique_id == "ber-1"
    assert update.parents == (("site", "ber"),)
    assert update.source == {"role": "leaf", "site": "ber"}
    assert update.target == {"role": "border", "site": "ber"}
    assert update.changes() == {"-": {"role": "border"}, "+": {"role": "leaf"}}
    create, delete = operations["device", "fra-1"], operations["device", "old-1"]
    assert (create.action, create.target, create.parents) == ("create", None, (("site", "fra"),))
    assert (delete.action, delete.source, delete.parents) == ("delete", None, (("site", "old"),))
    assert operations["site", "ber"].changes() == {"-": {"tags": []}, "+": {"tags": ["new"]}}


class Port(DiffSyncModel):
    _modelname = "port"
    _identifiers = ("device", "slot")
    _shortname = ("slot",)
    _attributes = ("speed", "since", "kind", "price", "groups")

    device: str
    slot: int
    speed: float = 1.0
    since: dt.datetime = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    kind: Kind = None  # type: ignore[assignment]
    price: decimal.Decimal = decimal.Decimal("1.50")
    groups: set[str] = set()


class Kind(enum.Enum):
    COPPER = "copper"
    FIBRE = "fibre"


Port.model_rebuild()


class Ports(Adapter):
    port = Port
    top_level = ["port"]


def port(slot: int, **fields: Any) -> Port:
    return Port(**{"device": "d", "slot": slot, "kind": Kind.COPPER, **fields})


def test_identifiers_keep_their_types_and_all_their_names(diffs: RedisDiffs, diff_id: str) -> None:
    wanted = Ports("S")
    wanted.add(port(1))
    diffs.save(Ports("T").diff_from(wanted), diff_id)
    [operation] = diffs.open(diff_id).operations()
    assert operation.identifiers == {"device": "d", "slot": 1}
    assert (operation.name, operation.unique_id) == ("1", "d__1")


def test_values_that_json_does_not_know_arrive_as_the_model_has_them(
    diffs: RedisDiffs, diff_id: str, redis_url: str
) -> None:
    wanted, there = Ports("S"), Ports("T")
    new = {
        "since": dt.datetime(2025, 6, 1, 12, 30, tzinfo=dt.UTC),
        "kind": Kind.FIBRE,
        "price": decimal.Decimal("2.25"),
        "groups": {"b", "a"},
        "speed": float("inf"),
    }
    wanted.add(port(1, **new))
    wanted.add(port(2, **new))
    there.add(port(2))
    diffs.save(there.diff_from(wanted), diff_id)
    received: list[tuple[str, dict[str, Any]]] = []

    class Recorded(Port):
        @classmethod
        def create(cls, adapter: Any, ids: dict[str, Any], attrs: dict[str, Any]) -> Any:
            received.append(("create", attrs))
            return super().create(adapter, ids, attrs)

        def update(self, attrs: dict[str, Any]) -> Any:
            received.append(("update", attrs))
            return super().update(attrs)

    class Recording(Ports):
        port = Recorded

    system = Recording("T")
    system.add(Recorded(device="d", slot=2, kind=Kind.COPPER))
    system.sync_from(wanted, diff=diffs.open(diff_id).diff())
    assert received == [("create", new), ("update", new)]
    assert not system.diff_from(wanted).has_diffs()


def test_an_operation_has_the_same_id_in_every_diff_that_has_it(diffs: RedisDiffs, diff_id: str) -> None:
    diffs.save(target().diff_from(source()), diff_id)
    first = {(operation.model, operation.name): operation.id for operation in diffs.open(diff_id).operations()}
    other_source = source()
    other_source.add(Site(name="another"))
    other_source.get(Site, "ber").tags.append("newer")
    diffs.save(target().diff_from(other_source), diff_id)
    second = {(operation.model, operation.name): operation.id for operation in diffs.open(diff_id).operations()}
    assert len(set(second.values())) == len(second)
    different = {key for key in first if first[key] != second[key]}
    assert different == {("site", "ber")}
    assert set(second) - set(first) == {("site", "another")}


def test_an_operation_has_the_same_id_whatever_store_it_was_compared_in(
    diffs: RedisDiffs, diff_id: str, new_store: NewStore
) -> None:
    diffs.save(target().diff_from(source()), diff_id)
    expected = [operation.id for operation in diffs.open(diff_id).operations()]
    stored_source, stored_target = source(new_store()), target(new_store())
    stored_source.store.flush()
    stored_target.store.flush()
    diffs.save(stored_target.diff_from(stored_source), diff_id)
    assert [operation.id for operation in diffs.open(diff_id).operations()] == expected


def test_flags_of_objects_are_kept(diffs: RedisDiffs, diff_id: str) -> None:
    there = target()
    there.get(Site, "old").model_flags = DiffSyncModelFlags.NATURAL_DELETION_ORDER
    check_round_trip(diffs, diff_id, there.diff_from(source()))
    [flagged] = [operation for operation in diffs.open(diff_id).operations() if operation.name == "old"]
    assert flagged.flags == DiffSyncModelFlags.NATURAL_DELETION_ORDER


def test_the_record_says_what_was_compared(diffs: RedisDiffs, diff_id: str, redis_url: str) -> None:
    with open_store(redis_url, f"{diff_id}-s") as one, open_store(redis_url, f"{diff_id}-t") as two:
        with one.loading(), two.loading():
            source(one)
            target(two)
        records = one.require_complete(), two.require_complete()
        diff = StoredAdapter(two).diff_from(StoredAdapter(one))
        diffs.save(diff, diff_id, source=records[0], target=records[1], source_name="S", target_name="T", flags=3)
        one.drop()
        two.drop()
    record = diffs.open(diff_id).record
    assert record.diff_id == diff_id
    assert (record.source_store_id, record.target_store_id) == (f"{diff_id}-s", f"{diff_id}-t")
    assert (record.source_generation, record.target_generation) == tuple(found.generation for found in records)
    assert (record.source_name, record.target_name) == ("S", "T")
    assert record.summary == diff.summary()
    assert record.operations == sum(count for action, count in diff.summary().items() if action in ACTIONS)
    assert (record.flags, record.ttl) == (3, 3600)
    assert abs(dt.datetime.now(dt.UTC) - record.created) < dt.timedelta(minutes=5)


ACTIONS = ("create", "update", "delete")


# Size


@pytest.fixture
def many(diffs: RedisDiffs, diff_id: str) -> list[str]:
    """5,000 saved operations; their names."""
    wanted = flat()
    names = [f"device-{number}" for number in range(5000)]
    for name in names:
        wanted.add(Device(name=name))
    diffs.save(flat().diff_from(wanted), diff_id)
    return names


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "limit"),
    [(0, None), (0, 1), (0, 500), (499, 2), (500, 500), (4999, 10), (5000, 10), (4000, None), (0, 0), (17, 1234)],
)
def test_operations_are_read_piece_by_piece(
    diffs: RedisDiffs, diff_id: str, many: list[str], start: int, limit: int | None
) -> None:
    saved = diffs.open(diff_id)
    expected = many[start:] if limit is None else many[start : start + limit]
    assert [operation.name for operation in saved.operations(start, limit)] == expected
    assert [operation.name for operation in saved.elements(start, limit)] == expected


def test_the_record_says_below_which_objects_most_changes(diffs: RedisDiffs, diff_id: str) -> None:
    """As somebody would count who reads all of it; of those alike the first ones, and no more than ten."""
    sizes = [2, 1, 5, 3, 3, 1, 4, 1, 1, 1, 1, 1, 2]
    roles = {f"s{number}": {f"d{number}-{n}": "leaf" for n in range(size)} for number, size in enumerate(sizes)}
    new, old = fill(sites(), roles), fill(sites(), {"s1": {}})
    saved = diffs.open(diffs.save(old.diff_from(new), diff_id))
    tops = Counter([*operation.parents, (operation.model, operation.name)][0] for operation in saved.operations())
    found = [((tree.model, tree.name), tree.operations) for tree in saved.record.largest]
    assert found == tops.most_common(10)
    assert found[0] == (("site", "s2"), 6)
    assert diffs.open(diffs.save(Diff(), diff_id)).record.largest == ()


def test_a_page_costs_what_the_page_holds(own_redis: RedisServer) -> None:
    diffs = RedisDiffs(url=own_redis.url)
    wanted = flat()
    for number in range(5000):
        wanted.add(Device(name=f"device-{number}"))
    diff_id = diffs.save(flat().diff_from(wanted))
    client: Any = own_redis.client()
    saved = diffs.open(diff_id)
    client.config_resetstat()
    assert [operation.name for operation in saved.operations(0, 10)] == [f"device-{number}" for number in range(10)]
    stats = client.info("commandstats")
    assert stats["cmdstat_lindex"]["calls"] == 1
    assert not {"cmdstat_keys", "cmdstat_scan"} & set(stats)
    diffs.close()


@pytest.mark.slow
def test_5000_operations_are_the_diff_again(diffs: RedisDiffs, diff_id: str, many: list[str]) -> None:
    diff = diffs.open(diff_id).diff()
    assert diff.summary() == {"create": 5000, "update": 0, "delete": 0, "no-change": 0, "skip": 0}
    assert [element.name for element in diff.get_children()] == many


def test_a_diff_that_is_dropped_while_it_is_read_is_an_error_not_an_end(
    diffs: RedisDiffs, diff_id: str, many: list[str]
) -> None:
    operations = diffs.open(diff_id).operations()
    next(operations)
    diffs.open(diff_id).drop()
    with pytest.raises(DiffNotFound, match="while it was read"):
        list(operations)


# Applying


def apply(url: str, diff_id: str, source_id: str, target_id: str) -> dict[str, int]:
    """Sync the target's store with the saved diff, as a worker does."""
    diffs = RedisDiffs(url=url)
    with open_store(url, source_id) as one, open_store(url, target_id) as two:
        system = sites(two)
        diff = system.sync_from(StoredAdapter(one), diff=diffs.open(diff_id).diff())
    assert diff.result is not None
    return diff.result.counts()


@pytest.fixture
def stored(redis_url: str, store_id: str) -> Iterator[tuple[BaseStore, BaseStore]]:
    """A store with the source, a store with the target."""
    with open_store(redis_url, f"{store_id}-s") as one, open_store(redis_url, f"{store_id}-t") as two:
        with one.loading(), two.loading():
            source(one)
            target(two)
        yield one, two
        one.drop()
        two.drop()


@pytest.mark.slow
def test_another_process_applies_exactly_the_diff(
    diffs: RedisDiffs, diff_id: str, redis_url: str, stored: tuple[BaseStore, BaseStore]
) -> None:
    one, two = stored
    diffs.save(StoredAdapter(two).diff_from(StoredAdapter(one)), diff_id)
    after = sites(open_store(redis_url, one.store_id))
    after.get(Device, "fra-1").role = "late"
    after.add(Site(name="late"))
    after.remove(after.get(Site, "same"))
    after.store.close()
    result = run(apply, url=redis_url, diff_id=diff_id, source_id=one.store_id, target_id=two.store_id)
    assert result == {"created": 2, "updated": 2, "deleted": 3, "skipped": 0, "blocked": 0, "failed": 0}
    expected = target()
    expected.sync_from(source())
    assert read_sites(redis_url, two.store_id) == content(expected)


@pytest.mark.slow
def test_an_empty_diff_applies_nothing(
    diffs: RedisDiffs, diff_id: str, redis_url: str, stored: tuple[BaseStore, BaseStore]
) -> None:
    one, two = stored
    check_round_trip(diffs, diff_id, sites().diff_from(sites()))
    before = read_sites(redis_url, two.store_id)
    result = run(apply, url=redis_url, diff_id=diff_id, source_id=one.store_id, target_id=two.store_id)
    assert set(result.values()) == {0}
    assert read_sites(redis_url, two.store_id) == before


def test_a_diff_without_elements_keeps_its_names_and_flags(diffs: RedisDiffs, diff_id: str) -> None:
    diffs.save(Diff(), diff_id, source_name="S", target_name="T")
    record = diffs.open(diff_id).record
    assert (record.source_name, record.target_name, record.operations) == ("S", "T", 0)


# Ids


def test_a_diff_without_an_id_makes_up_a_new_one(diffs: RedisDiffs) -> None:
    first, second = diffs.save(Diff()), diffs.save(Diff())
    assert first != second
    diffs.open(first).drop()
    diffs.open(second).drop()


def test_a_diff_is_replaced_by_the_next_one_of_its_id(diffs: RedisDiffs, diff_id: str) -> None:
    diffs.save(target().diff_from(source()), diff_id)
    diffs.save(sites().diff_from(source()), diff_id)
    assert diffs.open(diff_id).record.summary == sites().diff_from(source()).summary()
    assert len(list(diffs.open(diff_id).elements())) == diffs.open(diff_id).record.elements


def test_an_unknown_diff_is_not_found(diffs: RedisDiffs, diff_id: str) -> None:
    with pytest.raises(DiffNotFound, match=f"There is no diff '{diff_id}'.*Make a new diff"):
        diffs.open(diff_id)


def test_a_dropped_diff_is_not_found(diffs: RedisDiffs, diff_id: str) -> None:
    diffs.save(target().diff_from(source()), diff_id)
    diffs.open(diff_id).drop()
    with pytest.raises(DiffNotFound):
        diffs.open(diff_id)


def test_a_diff_expires_and_is_kept_by_being_used(diffs: RedisDiffs, diff_id: str, redis_server: RedisServer) -> None:
    diffs.save(target().diff_from(source()), diff_id)
    with closing(redis_server.client()) as client:
        keys = keys_of(client, diff_id)
        assert len(keys) == 3
        for key in keys:
            assert f"{{{diff_id}}}" in key
            assert 3500 < client.ttl(key) <= 3600
            client.expire(key, 50)
        diffs.open(diff_id)
        assert all(client.ttl(key) > 3500 for key in keys)
        client.delete(*keys)
        client.zrem("ds:diffs", diff_id)
    with pytest.raises(DiffNotFound):
        diffs.open(diff_id)


@pytest.mark.parametrize("given", ["a:b", "*", "{x}", "a b", "ä", "a\n", "x" * 129, "../x"])
def test_a_hostile_diff_id_is_refused(diffs: RedisDiffs, given: str) -> None:
    for call in (lambda: diffs.open(given), lambda: diffs.save(Diff(), given)):
        with pytest.raises(ObjectStoreException, match="use 1 to 128 letters, digits"):
            call()


def test_an_empty_diff_id_is_refused(diffs: RedisDiffs) -> None:
    with pytest.raises(ObjectStoreException, match="use 1 to 128 letters, digits"):
        diffs.open("")
    with pytest.raises(ObjectStoreException, match="use 1 to 128 letters, digits"):
        diffs.save(Diff(), "")


@pytest.mark.parametrize(
    "name", ["*", "a:b", "{}", "a\nb", "🦜", "x" * 10_000, "", "a__b", "\x00", "'; --", "<b>", "\ud7ff"]
)
def test_names_may_hold_anything(diffs: RedisDiffs, diff_id: str, name: str) -> None:
    wanted = fill(sites(), {name: {f"{name}1": name, f"{name}2": "leaf"}}, region=name)
    again = check_round_trip(diffs, diff_id, sites().diff_from(wanted))
    system = sites()
    system.sync_from(wanted, diff=again)
    assert content(system) == content(wanted)


def test_a_time_to_live_below_a_second_is_refused(redis_url: str) -> None:
    with pytest.raises(ObjectStoreException, match="at least 1 second"):
        RedisDiffs(url=redis_url, ttl=0)


def test_a_value_that_cannot_be_saved_is_named_with_its_object(diffs: RedisDiffs, diff_id: str) -> None:
    wanted = sites()
    wanted.add(Site(name="ber", facts={"socket": object()}))
    with pytest.raises(ObjectStoreException, match=r"site.*ber.*cannot be saved as JSON"):
        diffs.save(sites().diff_from(wanted), diff_id)
    with pytest.raises(DiffNotFound):
        diffs.open(diff_id)


def test_a_diff_that_could_not_be_saved_leaves_nothing(
    diffs: RedisDiffs, diff_id: str, redis_server: RedisServer
) -> None:
    wanted = sites()
    for number in range(1000):
        wanted.add(Site(name=f"site-{number}", facts={"socket": object()} if number == 999 else {}))
    with pytest.raises(ObjectStoreException):
        diffs.save(sites().diff_from(wanted), diff_id)
    with closing(redis_server.client()) as client:
        assert keys_of(client, diff_id) == set()


NO_UNICODE = "a\udcff"
"""As `os.fsdecode` gives a name whose bytes are no UTF-8."""


class File(DiffSyncModel):
    _modelname = "file"
    _identifiers = ("folder", "name")
    _shortname = ("name",)
    _attributes = ("text", "lines", "tags")
    folder: str
    name: str
    text: str = ""
    lines: list[str] = []
    tags: dict[str, str] = {}

    @classmethod
    def create(cls, adapter: Any, ids: dict[str, Any], attrs: dict[str, Any]) -> Any:
        if ids["name"].startswith("refused"):
            raise ObjectNotCreated(f"no {ids['name']} with {attrs['text']}")
        return super().create(adapter, ids, attrs)


class Folder(DiffSyncModel):
    _modelname = "folder"
    _identifiers = ("name",)
    _attributes = ("text",)
    _children = {"file": "files"}
    name: str
    text: str = ""
    files: list[str] = []


class Disk(Adapter):
    folder = Folder
    file = File
    top_level = ["folder"]


def disk(name: str, text: str, names: tuple[str, ...]) -> Disk:
    found = Disk(name)
    with found.store.loading():
        for folder_name in ("plain", NO_UNICODE):
            folder = Folder(name=folder_name, text=text)
            found.add(folder)
            for each in names:
                file = File(folder=folder_name, name=each, text=text, lines=[text], tags={text: text})
                found.add(file)
                folder.add_child(file)
    return found


def test_a_text_that_is_no_unicode_is_saved_shown_and_applied(diffs: RedisDiffs, redis_url: str, diff_id: str) -> None:
    source = disk("source", "x\ud800", ("1", "2" + NO_UNICODE, "refused" + NO_UNICODE))
    target = disk("target", "y\ud800", ("1", "3" + NO_UNICODE))
    expected = target.diff_from(source)
    diffs.compare(source, target, diff_id)
    saved = diffs.open(diff_id)
    assert saved.diff().dict() == expected.dict()

    result = saved.apply(source, target, flags=DiffSyncFlags.CONTINUE_ON_FAILURE, by=NO_UNICODE)
    assert len(result.rejects) == 2
    assert report.to_json(result.rejects).encode()
    assert "refuseda\\udcff with x\\ud800" in report.to_csv(result.rejects).encode().decode()
    assert target.get("file", f"{NO_UNICODE}__2{NO_UNICODE}").tags == {"x\ud800": "x\ud800"}
    assert target.diff_from(source).summary()["create"] == len(result.rejects)
    assert [past.record.diff_id for past in diffs.history("file", f"{NO_UNICODE}__2{NO_UNICODE}")] == [diff_id]

    object_words = ["history", "file", f"{NO_UNICODE}__2{NO_UNICODE}"]
    for words in (["show", diff_id], ["changes", diff_id], ["changes", diff_id, "--json"], object_words):
        shown = CliRunner().invoke(app, words, env={"DIFFSYNC_STORE_URL": redis_url})
        assert not shown.exception, (words, shown.output)
        assert shown.output.encode()
        assert "udcff" in shown.output or words[0] == "show"


def test_an_identifier_that_is_no_unicode_is_refused_and_never_found(open_redis: OpenStore) -> None:
    disk = Disk("disk", internal_storage_engine=open_redis())
    with disk.store.loading():
        with pytest.raises(ObjectNotStorable, match=r"folder .*its field 'name' of type str .*surrogate"):
            disk.add(Folder(name=NO_UNICODE))
        disk.add(Folder(name="plain", files=[NO_UNICODE]))
    for adapter in (disk, StoredAdapter(disk.store)):
        assert adapter.get_or_none("folder", NO_UNICODE) is None
        with pytest.raises(ObjectNotFound):
            adapter.diff_to(Disk("empty"))
        assert StoredAdapter(disk.store).diff_to(StoredAdapter(disk.store)).has_diffs() is False
    disk.remove(disk.get("folder", "plain"), remove_children=True)
    with pytest.raises(ObjectNotFound):
        disk.remove(Folder(name=NO_UNICODE))


def test_what_a_load_tells_of_a_text_that_is_no_unicode_is_readable(
    open_redis: OpenStore, diffs: RedisDiffs, diff_id: str, redis_url: str
) -> None:
    source = Disk("source", internal_storage_engine=open_redis())
    with source.store.loading():
        source.add(Folder(name="plain"))
        with source.rejecting("folder", NO_UNICODE, {"name": NO_UNICODE, NO_UNICODE: 1}):
            source.add(Folder(name=NO_UNICODE))
        with source.rejecting("file", NO_UNICODE, below=("folder", NO_UNICODE)):
            raise ValueError(NO_UNICODE)
        source.incomplete("file", f"{NO_UNICODE} cannot be read")
    gaps = source.store.record().gaps
    assert [(reject.what, "udcff" in reject.payload) for reject in gaps["folder"].rejects] == [("a\\udcff", True)]
    assert gaps["file"].rejects[0].reason == "ValueError: a\\udcff"
    assert "a\\udcff cannot be read" in gaps["file"].reasons
    assert gaps["file"].below == ()

    target = disk(NO_UNICODE, "y", (NO_UNICODE,))
    diffs.compare(source, target, diff_id, guards=Guards())
    assert {(one.model, one.action) for one in diffs.open(diff_id).record.suppressions} >= {("file", "delete")}
    lease_id = f"lease-{uuid.uuid4().hex}"
    with closing(RedisLeases(url=redis_url)) as leases, leases.take(lease_id, NO_UNICODE, owner=NO_UNICODE):
        assert (holder := leases.holder(lease_id)) is not None
        assert holder.reason == "a\\udcff"
    with pytest.raises(ObjectStoreException, match=r"name .* is not valid Unicode"):
        open_redis(name=NO_UNICODE)
