"""Intentional differences from diffsync; these tests do not run against diffsync."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self, cast

import pytest
import redis
from structlog.testing import capture_logs
from typing_extensions import override

from diffsync_store.store.redis import Connection, RedisStore
from tests.behaviour.api import (
    Adapter,
    BaseStore,
    Diff,
    DiffSync,
    DiffSyncFlags,
    DiffSyncModel,
    DiffSyncModelFlags,
    LocalStore,
    ObjectAlreadyExists,
    ObjectNotCreated,
    ObjectStoreException,
    ObjectStoreWrongType,
)
from tests.behaviour.inventory import Adapters, Data, Device, Inventory, Site, Sites
from tests.behaviour.second_reader import second_reader
from tests.servers import RedisServer

CONTINUE = DiffSyncFlags.CONTINUE_ON_FAILURE
UNCHANGED = DiffSyncFlags.LOG_UNCHANGED_RECORDS


# A given diff


def test_an_empty_diff_that_is_given_applies_nothing(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {})}, {})
    diff = Diff()
    assert target.sync_from(source, diff=diff) is diff
    assert (target.journal, target.completions, target.count()) == ([], [], 0)
    source.sync_to(target, diff=Diff())
    assert target.count() == 0


# Moves


@pytest.mark.parametrize(("old", "new"), [("a", "b"), ("b", "a")], ids=["to a later parent", "to an earlier parent"])
def test_a_move_to_another_parent_is_a_delete_and_then_a_create(adapters: Adapters, old: str, new: str) -> None:
    source, target = adapters.pair({"a": ("r", {}), "b": ("r", {})}, {"a": ("r", {}), "b": ("r", {})})
    for adapter, parent in ((source, new), (target, old)):
        device = Device(site="moved", name="d")
        adapter.add(device)
        adapter.get(Site, parent).add_child(device)
    diff = target.sync_from(source)
    assert target.operations() == ["delete moved__d", "create moved__d"]
    assert (target.get(Site, old).devices, target.get(Site, new).devices) == ([], ["moved__d"])
    assert diff.result is not None
    assert (diff.result.created, diff.result.deleted, diff.result.failed) == (1, 1, 0)


def test_a_refused_delete_is_not_retried_before_the_create_that_it_blocks(
    adapters: Adapters,
) -> None:
    class Stuck(Device):
        def delete(self) -> Self | None:
            raise ObjectStoreException("in use")

    class Sticky(Inventory):
        device = Stuck

    source, target = adapters.pair(
        {"a": ("r", {}), "b": ("r", {})}, {"a": ("r", {}), "b": ("r", {})}, Inventory, Sticky
    )
    for adapter, parent, model in ((source, "a", Device), (target, "b", Stuck)):
        device = model(site="moved", name="d")
        adapter.add(device)
        adapter.get("site", parent).add_child(device)
    result = target.sync_from(source, flags=CONTINUE).result
    assert result is not None
    assert [reject.action for reject in result.rejects] == ["delete", "create"]
    assert target.get("site", "b").devices == ["moved__d"]


class Untouchable:
    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the source's store was asked for {name}")


def test_a_sync_of_a_given_diff_does_not_read_the_source(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {"d": "x"})}, {"a": ("q", {}), "b": ("r", {})})
    diff = target.diff_from(source)
    store, source.store = source.store, cast(BaseStore, Untouchable())
    target.sync_from(source, diff=diff)
    source.store = store
    assert target.operations() == ["update a", "create a__d", "delete b"]


def test_a_sync_visits_only_changes_and_their_ancestors(adapters: Adapters) -> None:
    sites: Sites = {f"s{number}": ("r", {"d1": "x", "d2": "x"}) for number in range(50)}
    source, target = adapters.pair(sites, sites)
    source.get(Device, "s7__d2").role = "new"
    source.get(Site, "s9").region = "new"
    calls: list[tuple[str, int, int]] = []
    target.sync_from(source, callback=lambda *call: calls.append(call))
    assert [call for call in calls if call[0] == "sync"] == [("sync", 1, 3), ("sync", 2, 3), ("sync", 3, 3)]


# Unchanged objects


def test_unchanged_objects_are_counted_without_elements(adapters: Adapters) -> None:
    sites: Sites = {"a": ("r", {"d": "x"}), "b": ("r", {"d": "x", "e": "x"})}
    source, target = adapters.pair(sites, sites)
    source.get(Device, "b__e").role = "new"
    diff = target.diff_from(source)
    assert list(diff.children["site"]) == ["b"]
    assert list(diff.children["site"]["b"].child_diff.children["device"]) == ["e"]
    assert (len(diff), diff.summary()["no-change"], diff.unchanged) == (5, 4, 2)


def test_unchanged_objects_have_elements_if_they_are_logged(adapters: Adapters) -> None:
    sites: Sites = {"a": ("r", {"d": "x"}), "b": ("r", {"d": "x", "e": "x"})}
    source, target = adapters.pair(sites, sites)
    diff = target.diff_from(source, flags=UNCHANGED)
    assert list(diff.children["site"]) == ["a", "b"]
    assert list(diff.children["site"]["b"].child_diff.children["device"]) == ["d", "e"]
    assert (len(diff), diff.summary()["no-change"], diff.unchanged) == (5, 5, 0)


def test_unchanged_objects_may_have_the_same_name(adapters: Adapters) -> None:
    class Flat(Inventory):
        top_level = ["device"]

    source, target = adapters.make(Flat), adapters.make(Flat)
    for adapter in (source, target):
        for site in ("a", "b"):
            adapter.add(Device(site=site, name="e0"))
    assert target.diff_from(source).summary()["no-change"] == 2


def test_the_error_of_two_objects_with_one_name_names_both(adapters: Adapters) -> None:
    class Flat(Inventory):
        top_level = ["device"]

    source = adapters.make(Flat)
    source.add(Device(site="first", name="e0"))
    source.add(Device(site="second", name="e0"))
    with pytest.raises(ObjectAlreadyExists, match=r"first.*second"):
        adapters.make(Flat).diff_from(source)


def test_the_progress_of_a_diff_counts_level_by_level(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {"d": "x"}), "b": ("r", {})}, {"a": ("r", {}), "b": ("r", {})})
    calls: list[tuple[str, int, int]] = []
    target.diff_from(source, callback=lambda *call: calls.append(call))
    assert calls == [("diff", 2, 5), ("diff", 4, 5), ("diff", 5, 5)]


# Failures and the result


class Broken(Site):
    """Raises a foreign exception, refuses, or returns None, depending on its name."""

    @classmethod
    def create(cls, adapter: Any, ids: Data, attrs: Data) -> Self | None:
        cls._fail(ids["name"])
        return None if ids["name"].startswith("none") else super().create(adapter, ids, attrs)

    def update(self, attrs: Data) -> Self | None:
        self._fail(self.name)
        return None if self.name.startswith("none") else super().update(attrs)

    def delete(self) -> Self | None:
        self._fail(self.name)
        return None if self.name.startswith("none") else super().delete()

    @staticmethod
    def _fail(name: str) -> None:
        if name.startswith("refuse"):
            raise ObjectNotCreated("refused")
        if name.startswith("break"):
            raise ValueError("HTTP 500")


class Breaker(Inventory):
    site = Broken


FAILING_SOURCE: Sites = {
    "break-new": ("r", {"d1": "x", "d2": "x"}),
    "ok-new": ("r", {"d": "x"}),
    "refuse-new": ("r", {"d": "x"}),
    "none-new": ("r", {"d": "x"}),
    "break-old": ("r", {}),
    "ok-old": ("r", {}),
}
FAILING_TARGET: Sites = {
    "break-old": ("q", {}),
    "ok-old": ("q", {}),
    "break-gone": ("q", {"d": "x"}),
    "ok-gone": ("q", {"d": "x"}),
}


def test_continue_on_failure_catches_every_exception(adapters: Adapters) -> None:
    source, target = adapters.pair(FAILING_SOURCE, FAILING_TARGET, target_class=Breaker)
    target.sync_from(source, flags=CONTINUE)
    assert target.operations() == [
        "create ok-new", "create ok-new__d", "update ok-old", "delete ok-gone", "delete ok-gone__d",
    ]  # fmt: skip
    assert len(target.completions) == 1


def test_without_continue_on_failure_the_exception_is_raised(adapters: Adapters) -> None:
    source, target = adapters.pair(FAILING_SOURCE, FAILING_TARGET, target_class=Breaker)
    with pytest.raises(ValueError, match="HTTP 500"):
        target.sync_from(source)
    assert target.journal == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_continue_on_failure_does_not_catch_exceptions_that_end_the_program(
    adapters: Adapters, error: type[BaseException]
) -> None:
    class Ending(Site):
        @classmethod
        @override
        def create(cls, adapter: Any, ids: Data, attrs: Data) -> Self | None:
            raise error

    class Ender(Inventory):
        site = Ending

    source, target = adapters.pair({"a": ("r", {}), "b": ("r", {})}, {}, target_class=Ender)
    with pytest.raises(error):
        target.sync_from(source, flags=CONTINUE)
    assert target.count() == 0


def test_a_failure_of_any_kind_is_logged_as_error(adapters: Adapters) -> None:
    source, target = adapters.pair({"break": ("r", {})}, {}, target_class=Breaker)
    with capture_logs() as events:
        target.sync_from(source, flags=CONTINUE)
    [failure] = [event for event in events if event["log_level"] == "error"]
    assert (failure["event"], failure["status"], failure["unique_id"]) == ("HTTP 500", "error", "break")


def test_a_diff_has_no_result_before_its_sync(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {})}, {})
    assert target.diff_from(source).result is None


def test_the_result_counts_operations_by_how_they_ended(adapters: Adapters) -> None:
    source, target = adapters.pair(FAILING_SOURCE, FAILING_TARGET, target_class=Breaker)
    result = target.sync_from(source, flags=CONTINUE).result
    assert result is not None
    assert result.counts() == {"created": 2, "updated": 1, "deleted": 2, "skipped": 1, "blocked": 5, "failed": 4}
    assert result.applied == 5


def test_the_result_lists_rejects_with_their_reasons(adapters: Adapters) -> None:
    source, target = adapters.pair(FAILING_SOURCE, FAILING_TARGET, target_class=Breaker)
    result = target.sync_from(source, flags=CONTINUE).result
    assert result is not None
    assert [(each.action, each.model, each.unique_id, each.reason) for each in result.rejects] == [
        ("create", "site", "break-new", "ValueError: HTTP 500"),
        ("create", "site", "refuse-new", "refused"),
        ("update", "site", "break-old", "ValueError: HTTP 500"),
        ("delete", "site", "break-gone", "ValueError: HTTP 500"),
    ]
    assert result.rejects[0].identifiers == {"name": "break-new"}


def test_the_result_of_an_interrupted_sync_counts_the_applied_operations(adapters: Adapters) -> None:
    source, target = adapters.pair({"ok": ("r", {}), "break": ("r", {}), "later": ("r", {})}, {}, Breaker)
    diff = target.diff_from(source)
    with pytest.raises(ValueError, match="HTTP 500"):
        target.sync_from(source, diff=diff)
    assert diff.result is not None
    assert (diff.result.created, diff.result.failed) == (1, 1)


def test_continue_on_failure_continues_after_a_refusal_of_the_store(adapters: Adapters) -> None:
    source, target = adapters.pair({"a": ("r", {})}, {"a": ("r", {"d": "x", "e": "x"})})
    diff = target.diff_from(source)
    target.get(Site, "a").devices.remove("a__d")
    with capture_logs() as events:
        target.sync_from(source, diff=diff, flags=CONTINUE)
    assert target.operations() == ["delete a__d", "delete a__e"]
    errors = [(event["unique_id"], event["event"]) for event in events if event["log_level"] == "error"]
    assert [uid for uid, _ in errors] == ["a__d"]
    assert "not a child of" in errors[0][1]
    assert diff.result is not None
    assert (diff.result.deleted, diff.result.failed, target.get(Site, "a").devices) == (2, 0, [])


def test_the_result_counts_every_operation_once(adapters: Adapters) -> None:
    source, target = adapters.pair(FAILING_SOURCE, FAILING_TARGET, target_class=Breaker)
    diff = target.sync_from(source, flags=CONTINUE)
    summary = diff.summary()
    assert diff.result is not None
    assert sum(diff.result.counts().values()) == summary["create"] + summary["update"] + summary["delete"]


def test_unchanged_objects_below_a_refused_one_are_not_blocked(adapters: Adapters) -> None:
    source, target = adapters.pair(
        {"break": ("r", {"same": "x", "new": "x"})}, {"break": ("q", {"same": "x"})}, target_class=Breaker
    )
    for flags in (CONTINUE, CONTINUE | UNCHANGED):
        result = target.sync_from(source, flags=flags).result
        assert result is not None
        assert (result.failed, result.blocked) == (1, 1)


@pytest.mark.parametrize("flags", [CONTINUE, CONTINUE | UNCHANGED], ids=str)
def test_the_progress_of_a_sync_reaches_its_total_despite_failures(adapters: Adapters, flags: DiffSyncFlags) -> None:
    source, target = adapters.pair(FAILING_SOURCE, FAILING_TARGET, target_class=Breaker)
    diff = target.diff_from(source, flags=flags)
    calls: list[tuple[str, int, int]] = []
    target.sync_from(source, flags=flags, diff=diff, callback=lambda *call: calls.append(call))
    done = [number for _, number, _ in calls]
    assert done == sorted(set(done))
    assert calls[-1] == ("sync", 15, 15)


def test_the_progress_of_a_sync_counts_children_that_were_deleted_with_their_parent(adapters: Adapters) -> None:
    source, target = adapters.pair({}, {"a": ("r", {"d": "x", "e": "x"})})
    target.get(Site, "a").model_flags = DiffSyncModelFlags.SKIP_CHILDREN_ON_DELETE
    calls: list[tuple[str, int, int]] = []
    target.sync_from(source, callback=lambda *call: calls.append(call))
    assert calls[-1] == ("sync", 3, 3)


def test_a_parent_deleted_after_its_children_is_logged_under_its_own_name(adapters: Adapters) -> None:
    source, target = adapters.pair({}, {"a": ("r", {"d": "x"})})
    target.get(Site, "a").model_flags = DiffSyncModelFlags.NATURAL_DELETION_ORDER
    with capture_logs() as events:
        target.sync_from(source)
    assert [event["unique_id"] for event in events if event["event"] == "Deleted successfully"] == ["a__d", "a"]


# Errors


def test_object_already_exists_has_a_sentence_and_the_object(adapters: Adapters) -> None:
    adapter, first = adapters.make(Inventory), Site(name="a")
    adapter.add(first)
    with pytest.raises(ObjectAlreadyExists) as caught:
        adapter.add(Site(name="a", region="q"))
    assert caught.value.existing_object is first
    assert "(" not in str(caught.value)
    assert str(ObjectAlreadyExists("the message", first)) == "the message"


@pytest.mark.parametrize("identifier", [3, None, ("a",), ["a"]], ids=repr)
def test_an_identifier_that_is_neither_a_string_nor_a_dict_is_refused(adapters: Adapters, identifier: Any) -> None:
    with pytest.raises(ObjectStoreWrongType, match=type(identifier).__name__):
        adapters.make(Inventory).get(Site, identifier)


def test_every_use_of_the_former_name_warns() -> None:
    with pytest.warns(DeprecationWarning, match="Adapter"):

        class Old(DiffSync):
            pass

    with pytest.warns(DeprecationWarning, match="Adapter"):
        Old()


def test_model_names_are_those_that_have_objects(adapters: Adapters) -> None:
    adapter = adapters.filled(Inventory, {"a": ("r", {})})
    adapter.get_all(Device)
    assert adapter.get_all_model_names() == {"site"}
    adapter.remove(adapter.get(Site, "a"))
    assert adapter.get_all_model_names() == set()
    assert adapter.dict() == {}


# Many children

MANY = 40_000


class CountedText(str):
    """A string that counts how often it is compared."""

    __slots__ = ()
    comparisons: ClassVar[int] = 0

    def __eq__(self, other: object) -> bool:
        CountedText.comparisons += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


class Member(DiffSyncModel):
    _modelname = "member"
    _identifiers = ("name",)
    name: str

    def get_unique_id(self) -> str:
        return CountedText(self.name)


class Group(DiffSyncModel):
    _modelname = "group"
    _identifiers = ("name",)
    _children = {"member": "members"}
    name: str
    members: list[str] = []


def shuffled(members: list[Member]) -> list[Member]:
    return sorted(members, key=lambda member: member.name[::-1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("order", "size"),
    [(list, MANY), (lambda members: members[::-1], MANY), (shuffled, MANY // 4)],
    ids=["first to last", "last to first", "any"],
)
def test_many_children_are_added_and_removed_without_searching_the_list(
    order: Callable[[list[Member]], list[Member]], size: int
) -> None:
    group, members = Group(name="g"), [Member(name=str(number)) for number in range(size)]
    CountedText.comparisons = 0
    for member in members:
        group.add_child(member)
    assert CountedText.comparisons <= size
    for member in order(members):
        group.remove_child(member)
    assert (
        CountedText.comparisons <= 300 * size
    )  # a search of the list would compare a quarter of its size for each child on average
    assert group.members == []


# Data that diffsync's RedisStore loses, confuses or refuses


@pytest.fixture
def new_redis(redis_connection: Connection) -> Iterator[Callable[[], RedisStore]]:
    stores = []

    def make() -> RedisStore:
        stores.append(RedisStore(connection=redis_connection, store_id=f"test-{uuid.uuid4().hex}"))
        return stores[-1]

    yield make
    for store in stores:
        store.drop()
        store.close()


@pytest.fixture
def redis_adapters(new_redis: Callable[[], RedisStore]) -> Adapters:
    return Adapters(new_redis)


def test_updates_of_a_sync_are_in_redis(redis_adapters: Adapters, redis_connection: Connection) -> None:
    source, target = redis_adapters.pair({"a": ("new", {"d": "new"})}, {"a": ("old", {"d": "old"})})
    target.sync_from(source)
    second = second_reader(target, redis_connection)
    assert second.get(Site, "a").region == "new"
    assert not second.diff_from(source).has_diffs()
    second.store.close()


def test_updates_of_a_sync_are_in_redis_without_a_flush_by_the_program(
    redis_adapters: Adapters, redis_url: str
) -> None:
    source, target = redis_adapters.pair({"a": ("new", {})}, {"a": ("old", {})})
    target.sync_from(source)
    with RedisStore(url=redis_url, store_id=target.store.store_id) as store:
        assert Inventory(internal_storage_engine=store).get(Site, "a").region == "new"


def test_a_child_that_is_added_after_its_parent_is_in_redis(
    redis_adapters: Adapters, redis_connection: Connection
) -> None:
    adapter = redis_adapters.filled(Inventory, {"a": ("r", {})})
    adapter.store.flush()
    device = Device(site="a", name="late")
    adapter.add(device)
    adapter.get(Site, "a").add_child(device)
    second = second_reader(adapter, redis_connection)
    assert second.get(Site, "a").devices == ["a__late"]
    second.store.close()


def test_parents_and_children_that_a_sync_creates_are_linked_in_redis(
    redis_adapters: Adapters, redis_connection: Connection
) -> None:
    source, target = redis_adapters.pair({"a": ("r", {"d": "x", "e": "x"})}, {})
    target.sync_from(source)
    second = second_reader(target, redis_connection)
    assert second.get(Site, "a").devices == ["a__d", "a__e"]
    assert not second.diff_from(source).has_diffs()
    second.store.close()


def test_changes_of_update_or_instantiate_are_in_redis(redis_adapters: Adapters, redis_connection: Connection) -> None:
    adapter = redis_adapters.filled(Inventory, {"a": ("r", {}), "b": ("r", {})})
    adapter.store.flush()
    adapter.update_or_instantiate(Site, {"name": "a"}, {"region": "new"})
    adapter.update_or_add_model_instance(Site(name="b", region="new"))
    second = second_reader(adapter, redis_connection)
    assert [site.region for site in second.get_all(Site)] == ["new", "new"]
    second.store.close()


def test_objects_of_a_model_with_capital_letters_are_counted(redis_adapters: Adapters) -> None:
    class Mixed(DiffSyncModel):
        _modelname = "InfraDevice"
        _identifiers = ("name",)
        name: str

    class Infra(Adapter):
        InfraDevice = Mixed
        top_level = ["InfraDevice"]

    adapter = redis_adapters.make(Infra)
    adapter.add(Mixed(name="a"))
    assert adapter.count("InfraDevice") == adapter.count(Mixed) == adapter.count() == 1
    assert adapter.count("infradevice") == 0
    assert adapter.get_all_model_names() == {"InfraDevice"}


@pytest.mark.parametrize("store_id", ["a:b", "a*", "a?", "[ab]", "", "a b", "{a}", "x" * 129, "ü"])
def test_an_ambiguous_store_id_is_refused(redis_url: str, store_id: str) -> None:
    with pytest.raises(ObjectStoreException, match="store_id"):
        RedisStore(url=redis_url, store_id=store_id)


def test_a_store_does_not_see_stores_whose_ids_start_like_its_own(redis_url: str) -> None:
    name = f"test-{uuid.uuid4().hex}"
    stores = [RedisStore(url=redis_url, store_id=store_id) for store_id in (name, f"{name}.flat", f"{name}-2")]
    held = [Inventory(internal_storage_engine=store) for store in stores]
    for number, adapter in enumerate(held):
        adapter.fill({str(number): ("r", {})})
        adapter.store.flush()
    assert [list(adapter.dict()["site"]) for adapter in held] == [["0"], ["1"], ["2"]]
    for store in stores:
        store.drop()
        store.close()


def test_other_data_in_redis_is_never_scanned(own_redis: RedisServer) -> None:
    client: redis.Redis = own_redis.client()
    client.mset({f"foreign:{number}": "x" for number in range(1000)})
    stores = [RedisStore(url=own_redis.url) for _ in range(2)]
    source, target = (Inventory(internal_storage_engine=store) for store in stores)
    source.fill({f"s{number}": ("r", {"d": "x"}) for number in range(20)})
    target.fill({f"s{number}": ("q", {}) for number in range(15)})
    target.sync_from(source)
    assert (target.count(), target.get_all_model_names()) == (40, {"site", "device"})
    for store in stores:
        store.drop()
        store.close()
    used = client.info("commandstats")
    assert {command for command in used if command.startswith(("cmdstat_scan", "cmdstat_keys"))} == set()
    assert client.dbsize() >= 1000
    client.close()


def test_operations_are_in_the_same_order_in_redis_as_in_memory(redis_adapters: Adapters) -> None:
    names = [str((number * 37) % 101) for number in range(100)]
    source: Sites = {name: ("r", {"z": "x", "a": "x"}) for name in names}
    target: Sites = {name: ("q", {"old": "x"}) for name in reversed(names[::2])}
    orders = []
    for adapters in (redis_adapters, Adapters(LocalStore)):
        left, right = adapters.pair(source, target)
        right.sync_from(left)
        orders.append(right.operations())
    assert orders[0] == orders[1]


def test_a_class_from_a_function_may_be_stored(redis_adapters: Adapters, redis_connection: Connection) -> None:
    class Nested(DiffSyncModel):
        _modelname = "nested"
        _identifiers = ("name",)
        _attributes = ("value",)
        name: str
        value: list[int] = []

    class Nest(Adapter):
        nested = Nested
        top_level = ["nested"]

    adapter = redis_adapters.make(Nest)
    adapter.add(Nested(name="a", value=[1]))
    second = second_reader(adapter, redis_connection)
    assert second.get(Nested, "a").value == [1]
    second.store.close()


def test_a_class_may_be_renamed_between_writing_and_reading(redis_adapters: Adapters, redis_url: str) -> None:
    class Renamed(Site):
        pass

    class Renaming(Inventory):
        site = Renamed

    adapter = redis_adapters.filled(Inventory, {"a": ("r", {})})
    adapter.store.flush()
    with RedisStore(url=redis_url, store_id=adapter.store.store_id) as store:
        site = Renaming(internal_storage_engine=store).get("site", "a")
        assert isinstance(site, Renamed)
        assert site.region == "r"


def test_an_equal_object_is_refused_by_another_reader_too(
    redis_adapters: Adapters, redis_connection: Connection
) -> None:
    adapter = redis_adapters.filled(Inventory, {"a": ("r", {})})
    second = second_reader(adapter, redis_connection)
    with pytest.raises(ObjectAlreadyExists):
        second.add(Site(name="a", region="r"))
    second.store.close()


def test_objects_read_from_redis_belong_to_the_adapter(redis_adapters: Adapters, redis_connection: Connection) -> None:
    adapter = redis_adapters.filled(Inventory, {"a": ("r", {"d": "x"})})
    second = second_reader(adapter, redis_connection)
    assert second.get(Site, "a").adapter is second
    assert {device.adapter for device in second.get_all(Device)} == {second}
    assert second.get(Site, "a").str().endswith("    device: a__d: {'role': 'x', 'slots': None}\n      interfaces: []")
    second.store.close()


def test_an_unknown_connection_argument_is_refused(redis_url: str) -> None:
    with pytest.raises(TypeError, match="pasword"):
        RedisStore(url=redis_url, pasword="x")


def test_the_error_of_an_unreachable_server_has_the_cause() -> None:
    with pytest.raises(ObjectStoreException, match=r"^Redis store is unavailable\.$") as caught:
        RedisStore(host="localhost", port=1)
    assert isinstance(caught.value.__cause__, redis.exceptions.ConnectionError)
