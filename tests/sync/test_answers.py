"""What a target's system answers, loses, or does not answer: each record once, and each told as what it is."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffsync_store import (
    Adapter,
    BaseStore,
    DiffSyncFlags,
    DiffSyncModel,
    LocalStore,
    ObjectNotCreated,
    OperationState,
    OutcomeUnknown,
    Sync,
    SyncOptions,
    SyncResult,
    lifecycle,
)
from diffsync_store.journal import Entry, MemoryJournal
from diffsync_store.lifecycle import opened
from diffsync_store.store.redis import RedisStore
from tests.servers import wait_until

Data = dict[str, Any]
GO_ON = DiffSyncFlags.CONTINUE_ON_FAILURE


class Lost(Exception):
    """The answer of a call that may have been done."""


class Unavailable(Exception):
    """What a proxy answers in the place of the system, with a `Retry-After`."""

    status_code = 503
    retry_after = 0.0


class Host(DiffSyncModel):
    _modelname = "host"
    _identifiers = ("name",)
    _attributes = ("role",)

    name: str
    role: str = ""
    pk: int | None = None
    """The system's own id, which nobody compares."""


class System:
    """Keeps whatever it is told, doubles too; does as many records of a call as it is told to, before it is lost."""

    def __init__(self) -> None:
        self.rows: list[Data] = []
        self.calls: list[tuple[str, int]] = []
        self.lose: list[int | None] = []
        """For each call in turn: how many of its records are done before its answer is lost; None loses nothing."""
        self.error: type[Exception] = Lost

    def write(self, action: str, records: list[tuple[str, Data]]) -> None:
        self.calls.append((action, len(records)))
        done = self.lose.pop(0) if self.lose else None
        for name, attrs in records if done is None else records[:done]:
            found = [row for row in self.rows if row["name"] == name]
            if action == "create":
                self.rows.append({"name": name, **attrs, "pk": 100 + len(self.rows)})
            elif action == "update":
                found[0].update(attrs)
            else:
                if not found:
                    raise LookupError(f"404 {name}")
                self.rows.remove(found[0])
        if done is not None:
            raise self.error("504")

    def content(self) -> dict[str, str]:
        assert not [name for name, times in Counter(row["name"] for row in self.rows).items() if times > 1]
        return {row["name"]: row["role"] for row in self.rows}

    def look_up(self, names: list[str]) -> dict[str, Data]:
        self.calls.append(("lookup", len(names)))
        return {row["name"]: row for row in self.rows if row["name"] in names}


class Blind(Host):
    """Written many at once; nobody can look anything up."""

    @classmethod
    def create_many(cls, adapter: Any, records: list[tuple[Data, Data]]) -> list[Any]:
        adapter.system.write("create", [(ids["name"], attrs) for ids, attrs in records])
        rows = {row["name"]: row for row in adapter.system.rows}
        return [cls.create_base(adapter, ids, {**attrs, "pk": rows[ids["name"]]["pk"]}) for ids, attrs in records]

    @classmethod
    def update_many(cls, adapter: Any, changes: list[tuple[Blind, Data]]) -> list[Any]:
        adapter.system.write("update", [(obj.name, attrs) for obj, attrs in changes])
        return [obj.update_base(attrs) for obj, attrs in changes]

    @classmethod
    def delete_many(cls, adapter: Any, objects: list[Blind]) -> list[Any]:
        adapter.system.write("delete", [(obj.name, {}) for obj in objects])
        return [obj.delete_base() for obj in objects]


class Seen(Blind):
    @classmethod
    def lookup_many(cls, adapter: Any, ids: list[Data]) -> dict[str, Data]:
        found: dict[str, Data] = adapter.system.look_up([each["name"] for each in ids])
        return found


class Listed(Blind):
    """Answers a lookup with a list, and knows what is not to be told."""

    @classmethod
    def lookup_many(cls, adapter: Any, ids: list[Data]) -> list[Data | None]:
        found = adapter.system.look_up([each["name"] for each in ids])
        return [found.get(each["name"]) for each in ids]


class Single(Blind):
    """Looked up one by one."""

    @classmethod
    def lookup(cls, adapter: Any, ids: Data) -> Data | None:
        found: Data | None = adapter.system.look_up([ids["name"]]).get(ids["name"])
        return found


class Hosts(Adapter):
    host: ClassVar[type[Any]] = Host
    top_level: ClassVar[list[str]] = ["host"]
    transient_errors = (Lost,)

    def __init__(self, name: str = "hosts", store: BaseStore | type[BaseStore] = LocalStore) -> None:
        super().__init__(name, store)
        self.system = System()

    def fill(self, hosts: dict[str, str]) -> Self:
        for name, role in hosts.items():
            self.add(self.host(name=name, role=role, pk=100 + len(self.system.rows)))
            self.system.rows.append({"name": name, "role": role, "pk": 100 + len(self.system.rows)})
        return self


def ring_of(model: type[Any]) -> type[Hosts]:
    return type(f"{model.__name__}Hosts", (Hosts,), {"host": model, "__module__": __name__})


def hosts(number: int, role: str = "new") -> dict[str, str]:
    return {f"h{each:03}": role for each in range(number)}


class Case:
    """A source, a target, their diff and its journal."""

    def __init__(self, model: type[Any], source: dict[str, str], target: dict[str, str]) -> None:
        self.source = Hosts("source").fill(source)
        self.target = ring_of(model)("target").fill(target)
        self.diff = self.target.diff_from(self.source)
        self.journal = MemoryJournal()
        self.system = self.target.system

    def sync(self, flags: DiffSyncFlags = GO_ON, **options: Any) -> SyncResult:
        given = SyncOptions(**{"backoff": 0, **options})
        return Sync(self.diff, self.source, self.target, given, journal=self.journal, flags=flags).run()

    def is_in_sync(self) -> bool:
        held = {obj.name: obj.role for obj in self.target.get_all("host")}
        return self.system.content() == held == {obj.name: obj.role for obj in self.source.get_all("host")}


CASES = {
    "create": (hosts(100), {}),
    "update": (hosts(100), hosts(100, "old")),
    "delete": ({}, hosts(100)),
}


@pytest.mark.parametrize("retries", [0, 3])
@pytest.mark.parametrize("action", CASES)
@pytest.mark.parametrize(("model", "lookups"), [(Seen, 1), (Listed, 1), (Single, 100)])
def test_a_call_with_a_lost_answer_is_applied_once(model: type[Any], lookups: int, action: str, retries: int) -> None:
    case = Case(model, *CASES[action])
    case.system.lose = [100]
    result = case.sync(retries=retries)
    assert (result.applied, result.is_complete) == (100, True)
    counted = Counter(name for name, _ in case.system.calls)
    assert counted == {action: 1, "lookup": lookups}
    assert case.is_in_sync()


@pytest.mark.parametrize("action", CASES)
@pytest.mark.parametrize(("model", "lookups"), [(Seen, 1), (Single, 100)])
def test_a_503_of_a_proxy_may_have_been_applied(model: type[Any], lookups: int, action: str) -> None:
    case = Case(model, *CASES[action])
    case.system.lose, case.system.error = [100], Unavailable
    assert case.sync(retries=3).is_complete
    assert Counter(name for name, _ in case.system.calls) == {action: 1, "lookup": lookups}
    assert case.is_in_sync()


@pytest.mark.parametrize("action", ["create", "delete"])
def test_after_a_503_of_a_proxy_a_record_without_lookup_is_not_sent_again(action: str) -> None:
    case = Case(Blind, *CASES[action])
    case.system.lose, case.system.error = [100], Unavailable
    assert case.sync(retries=3).unknown == 100
    assert [name for name, _ in case.system.calls] == [action]


@pytest.mark.parametrize("action", CASES)
@pytest.mark.parametrize("workers", [1, 3])
def test_only_the_rest_is_sent_again(action: str, workers: int) -> None:
    case = Case(Seen, *CASES[action])
    case.system.lose = [60, 0]
    result = case.sync(retries=3, workers=workers, batch_size=200)
    assert (result.applied, result.is_complete) == (100, True)
    assert [number for name, number in case.system.calls if name == action] == [100, 40, 40]
    assert case.is_in_sync()


@pytest.mark.parametrize("action", CASES)
def test_records_that_were_not_applied_fail_without_retries(action: str) -> None:
    case = Case(Seen, *CASES[action])
    case.system.lose = [60]
    result = case.sync()
    assert (result.applied, result.failed, result.unknown) == (60, 40, 0)
    assert {reject.reason for reject in result.rejects} == {"Lost: 504"}
    assert case.sync(retry_rejected=True).is_complete
    assert case.is_in_sync()


@pytest.mark.parametrize("retries", [0, 3])
@pytest.mark.parametrize("action", ["create", "delete"])
def test_a_record_without_lookup_is_unknown_and_is_not_sent_again(action: str, retries: int) -> None:
    case = Case(Blind, *CASES[action])
    case.system.lose = [60]
    for _ in range(3):
        result = case.sync(retries=retries)
        assert (result.applied, result.failed, result.unknown) == (0, 0, 100)
        assert "whether it was done is unknown" in result.rejects[0].reason
    assert [name for name, _ in case.system.calls] == [action]
    assert case.sync(retries=retries, retry_rejected=True).unknown == 100
    assert [name for name, _ in case.system.calls] == [action]


def test_an_update_without_lookup_is_sent_again_because_it_is_idempotent() -> None:
    case = Case(Blind, *CASES["update"])
    case.system.lose = [60]
    assert case.sync(retries=1).is_complete
    assert case.is_in_sync()


def test_without_the_flag_a_lost_answer_ends_the_sync() -> None:
    case = Case(Blind, *CASES["create"])
    case.system.lose = [100]
    with pytest.raises(Lost):
        case.sync(DiffSyncFlags.NONE)
    assert case.sync().unknown == 100
    assert len(case.system.content()) == 100


def test_a_connection_that_was_refused_has_done_nothing() -> None:
    case = Case(Blind, *CASES["create"])
    case.system.lose, case.system.error = [0, 0], ConnectionRefusedError
    assert case.sync(retries=2).is_complete
    assert [name for name, _ in case.system.calls] == ["create"] * 3
    assert case.is_in_sync()


class Answering(Blind):
    """Answers each record in its own way, or in a way that nobody understands."""

    way: ClassVar[Any] = None

    @classmethod
    def create_many(cls, adapter: Any, records: list[tuple[Data, Data]]) -> Any:
        return cls.way(super().create_many(adapter, records))


def test_each_record_has_its_own_answer() -> None:
    case = Case(Answering, hosts(4), {})
    case.target.host.way = lambda made: [made[0], None, ObjectNotCreated("no room"), OutcomeUnknown("queued")]
    result = case.sync(DiffSyncFlags.NONE | GO_ON)
    assert (result.created, result.skipped, result.failed, result.unknown) == (1, 1, 1, 1)
    assert [(reject.unique_id, reject.state) for reject in result.rejects] == [("h002", "failed"), ("h003", "unknown")]
    assert result.rejects[0].reason == "no room"
    assert result.rejects[1].reason.startswith("queued")
    states = [entry.state for entry in case.journal._entries.values()]
    assert Counter(states) == {OperationState.DONE: 2, OperationState.FAILED: 1, OperationState.SENT: 1}


@pytest.mark.parametrize(
    "way",
    [lambda made: made[:-1], lambda _: None, lambda _: True, lambda made: {made[0].name: made[0]}, lambda _: "ok"],
)
def test_an_invalid_answer_counts_as_lost(way: Any) -> None:
    case = Case(Answering, hosts(4), {})
    case.target.host.way = way
    assert case.sync(retries=3).unknown == 4
    assert len(case.system.content()) == 4


def test_a_failed_call_is_halved_until_the_bad_record_is_found() -> None:
    class Picky(Seen):
        @classmethod
        def create_many(cls, adapter: Any, records: list[tuple[Data, Data]]) -> list[Any]:
            if any(ids["name"] == "h013" for ids, _ in records):
                raise ValueError("400 h013")
            return super().create_many(adapter, records)

    case = Case(Picky, hosts(64), {})
    result = case.sync()
    assert (result.created, [reject.unique_id for reject in result.rejects]) == (63, ["h013"])
    assert len(case.system.content()) == 63


# What a lookup shows beyond the attributes


@pytest.mark.parametrize("model", [Seen, Listed, Single])
@pytest.mark.parametrize("number", [1, 3])
def test_the_systems_own_id_is_known_after_a_lost_answer(model: type[Any], number: int) -> None:
    case = Case(model, hosts(number), {})
    case.system.lose = [number]
    assert case.sync().is_complete
    assert [obj.pk for obj in case.target.get_all("host")] == [100 + each for each in range(number)]


@pytest.mark.parametrize("model", [Seen, Listed, Single])
@pytest.mark.parametrize("action", CASES)
def test_what_a_sync_has_sent_that_died_is_looked_up_with_all_that_is_known_of_it(
    model: type[Any], action: str
) -> None:
    case = Case(model, *CASES[action])
    sync = Sync(case.diff, case.source, case.target)
    elements = list(sync._with_operation_ids().get_children())
    case.journal.write({element.operation_id: Entry(OperationState.SENT) for element in elements})
    names = [element.keys["name"] for element in elements][:70]
    case.system.write(action, [(name, {"role": "new"}) for name in names])
    case.system.calls.clear()
    result = case.sync()
    assert (result.done_before, result.applied, result.is_complete) == (70, 30, True)
    assert case.is_in_sync()
    assert all(obj.pk is not None for obj in case.target.get_all("host"))
    assert [number for name, number in case.system.calls if name == "lookup"] == (
        [1] * 100 if model is Single else [100]
    )


# One way to write is enough


@pytest.mark.parametrize("action", CASES)
@pytest.mark.parametrize("number", [1, 2, 5])
@pytest.mark.parametrize("bulk", [1, 2, 200])
def test_a_model_that_takes_many_alone_gets_single_ones_too(action: str, number: int, bulk: int) -> None:
    wanted, there = CASES[action]
    some = [dict(list(side.items())[:number]) for side in (wanted, there)]
    case = Case(Blind, some[0], some[1])
    assert case.sync(batch_size=bulk).is_complete
    assert sum(count for _, count in case.system.calls) == number
    assert case.is_in_sync()
    plain = Case(Blind, some[0], some[1])
    plain.target.sync_from(plain.source)
    assert sum(count for _, count in plain.system.calls) == number
    assert plain.is_in_sync()


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("xy")),
    st.dictionaries(st.sampled_from("abcdef"), st.just("x")),
    st.data(),
)
def test_lost_answers_never_duplicate_a_record_and_never_change_the_result(
    source: dict[str, str], target: dict[str, str], data: st.DataObject
) -> None:
    case = Case(data.draw(st.sampled_from([Seen, Listed, Single])), source, target)
    case.system.lose = data.draw(st.lists(st.none() | st.integers(0, 3), max_size=8))
    options: Data = {"retries": data.draw(st.integers(0, 2)), "batch_size": data.draw(st.sampled_from([1, 2, 200]))}
    options["workers"] = data.draw(st.sampled_from([1, 2]))
    case.sync(**options)
    case.system.content()
    case.system.lose = []
    assert case.sync(retry_rejected=True, **options).is_complete
    assert case.is_in_sync()


# Begin and end


class Connected(Hosts):
    """Says when it is opened and closed."""

    host: ClassVar[type[Any]] = Seen

    def __init__(self, name: str = "connected") -> None:
        super().__init__(name)
        self.told: list[str] = []

    def open(self) -> None:
        self.told.append("open")

    def close(self) -> None:
        self.told.append("close")

    def sync_complete(self, *_: Any) -> None:
        self.told.append("complete")


def test_an_adapter_is_opened_and_closed_around_a_sync() -> None:
    source, target = Hosts("source").fill(hosts(2)), Connected()
    Sync(target.diff_from(source), source, target).run()
    assert target.told == ["open", "complete", "close"]
    target.told.clear()
    target.sync_from(Hosts("source").fill(hosts(1)))
    assert target.told == ["open", "complete", "close"]


def test_an_adapter_is_closed_when_a_sync_fails() -> None:
    for way in ("guarded", "plain"):
        source, target = Hosts("source").fill(hosts(2)), Connected()
        target.system.lose, target.system.error = [0, 0, 0, 0], ValueError
        sync = Sync(target.diff_from(source), source, target)
        with pytest.raises(ValueError, match="504"):
            sync.run() if way == "guarded" else target.sync_from(source)
        assert target.told == ["open", "close"]


class Shared(Connected):
    """Takes its time to open, and tells what is done meanwhile."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.begun, self.go_on, self.error = threading.Event(), threading.Event(), error

    def open(self) -> None:
        with opened(self):  # by what its own `open` calls
            super().open()
        self.begun.set()
        assert self.go_on.wait(100)
        if self.error is not None and self.told.count("open") == 1:
            raise self.error
        self.told.append("is open")

    def close(self) -> None:
        time.sleep(0.05)
        super().close()


def use_at_once(adapter: Shared, number: int, together: threading.Barrier) -> list[Exception | None]:
    """Threads use an adapter, the others while the first one opens it; what each has failed with."""

    def use() -> Exception | None:
        try:
            with opened(adapter):
                adapter.told.append("used")
                together.wait(100)
        except LookupError as error:
            return error
        return None

    with ThreadPoolExecutor(number) as pool:
        first = pool.submit(use)
        assert adapter.begun.wait(100)
        others = [pool.submit(use) for _ in range(number - 1)]
        wait_until(lambda: lifecycle._uses[id(adapter)].users == number, 100, "all use it")
        assert adapter.told == ["open"]
        adapter.go_on.set()
        return [each.result(100) for each in (first, *others)]


def test_threads_wait_until_the_first_has_opened_and_the_last_one_closes() -> None:
    adapter = Shared()
    assert use_at_once(adapter, 3, threading.Barrier(3)) == [None] * 3
    assert adapter.told == ["open", "is open", "used", "used", "used", "close"]
    with opened(adapter), opened(adapter):
        adapter.told.clear()
    assert adapter.told == ["close"]


def test_threads_that_wait_for_what_cannot_be_opened_fail_too_and_may_try_again() -> None:
    error = LookupError("no such system")
    adapter = Shared(error)
    assert use_at_once(adapter, 3, threading.Barrier(3)) == [error] * 3
    assert adapter.told == ["open"]
    with opened(adapter):
        adapter.told.append("used")
    assert adapter.told == ["open", "open", "is open", "used", "close"]


@pytest.mark.slow
def test_an_adapter_that_is_being_closed_is_opened_again() -> None:
    adapter = Shared()
    adapter.go_on.set()

    def use(_: int) -> None:
        with opened(adapter):
            adapter.told.append("used")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(40)))
    told = " ".join(adapter.told)
    assert re.fullmatch(r"(open is open( used)+ close ?)+", told), told


# An update that fails


class Computed(Host):
    @property
    def label(self) -> str:
        return f"{self.name} {self.role}"

    def get_attrs(self) -> Data:
        return {"role": self.role, "label": self.label}

    def update(self, attrs: Data) -> Self | None:
        self.role = attrs["role"]
        raise ConnectionAbortedError("the system says no")


def test_an_update_of_computed_attributes_that_fails_says_why() -> None:
    class Labelled(Hosts):
        host: ClassVar[type[Any]] = Computed

    source, target = Labelled("source"), Labelled("target")
    source.add(Computed(name="a", role="new"))
    target.add(Computed(name="a", role="old"))
    result = Sync(target.diff_from(source), source, target, flags=GO_ON).run()
    assert [reject.reason for reject in result.rejects] == ["ConnectionAbortedError: the system says no"]
    assert target.get("host", "a").role == "old"


# Hooks of workers


@pytest.mark.parametrize("many", [True, False])
@pytest.mark.parametrize("kind", ["local", "redis"])
def test_hooks_of_workers_use_the_adapters_store(redis_url: str, store_id: str, kind: str, *, many: bool) -> None:
    store = LocalStore() if kind == "local" else RedisStore(url=redis_url, store_id=store_id)
    together = threading.Barrier(4)

    class Looking(Host):
        @classmethod
        def create(cls, adapter: Any, ids: Data, attrs: Data) -> Self | None:
            with adapter.lock:
                adapter.begun += 1
                is_first = adapter.begun <= 4
            if is_first:
                together.wait(100)
            pool = adapter.get("pool", ids["name"])
            assert pool.name == ids["name"]
            pool.used += 1
            assert len(adapter.get_all("pool")) == 40
            return cls.create_base(adapter, ids, attrs)

    if many:
        Looking.create_many = classmethod(
            lambda cls, adapter, records: [cls.create(adapter, *record) for record in records]
        )

    class Pool(DiffSyncModel):
        _modelname = "pool"
        _identifiers = ("name",)
        name: str
        used: int = 0

    class Pools(Hosts):
        host: ClassVar[type[Any]] = Looking
        pool = Pool
        lock, begun = threading.Lock(), 0

    source, target = Hosts("source").fill(hosts(40)), Pools("target", store)
    for name in hosts(40):
        target.add(Pool(name=name))
    store.flush()
    result = Sync(target.diff_from(source), source, target, SyncOptions(workers=4, batch_size=10)).run()
    assert (result.created, result.is_complete) == (40, True)
    assert [pool.used for pool in target.get_all("pool")] == [1] * 40
    store.drop()
    store.close()
