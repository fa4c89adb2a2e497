"""A load says what it lacks: on every store, and readable by every process."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from diffsync_store import Gap, ObjectStoreException, StoreNotComplete, StoreState
from diffsync_store.store import BaseStore
from diffsync_store.store.redis import RedisStore
from tests.store.child import run
from tests.store.conftest import OpenStore
from tests.store.inventory import Device, Site, flat, open_store, sites


def load(store: BaseStore, records: list[dict[str, Any]]) -> None:
    adapter = flat(store)
    with store.loading():
        for record in records:
            with adapter.rejecting(Device, record["name"], record):
                adapter.add(Device(**record))


def good(count: int) -> list[dict[str, Any]]:
    return [{"name": f"d{number}"} for number in range(count)]


def test_a_bad_record_is_a_reject_and_the_rest_is_loaded(store: BaseStore) -> None:
    load(store, [*good(3), {"name": "bad", "role": 7, "password": "hunter2"}, {"name": "last"}])
    record = store.record()
    assert record.state is StoreState.PARTIAL
    assert record.counts == {"device": 4}
    gap = record.gaps["device"]
    assert gap.rejected == 1
    [reject] = gap.rejects
    assert reject.what == "bad"
    assert "role: Input should be a valid string" in reject.reason
    assert reject.payload == '{"name": "bad", "role": 7, "password": "***"}'
    assert record.reason.startswith("device: 1 rejected, the first bad: ValidationError: role")


def test_a_duplicate_record_is_a_reject(store: BaseStore) -> None:
    load(store, [*good(2), {"name": "d1", "role": "spine"}])
    assert store.record().counts == {"device": 2}
    assert "ObjectAlreadyExists: Object d1 already present" in str(store.record().gaps["device"])


@pytest.mark.parametrize(
    "error", [ValueError("x"), KeyError("x"), ZeroDivisionError(), RuntimeError("x"), StopIteration(), OSError(5, "x")]
)
def test_any_exception_of_a_record_is_a_reject(store: BaseStore, error: Exception) -> None:
    with store.loading():
        with store.rejecting("device", "d1"):
            raise error
        store.reject("device", "d2", error)
    gap = store.record().gaps["device"]
    assert [reject.reason.partition(":")[0] for reject in gap.rejects] == [type(error).__name__] * 2


def test_an_exception_that_ends_the_program_is_not_a_reject(store: BaseStore) -> None:
    with pytest.raises(KeyboardInterrupt), store.loading(), store.rejecting("device", "d1"):
        raise KeyboardInterrupt
    assert store.state is StoreState.FAILED


def test_an_error_of_the_store_is_not_a_reject(store: BaseStore) -> None:
    """Or else every record of a night without Redis would be taken for a bad one."""
    with pytest.raises(ObjectStoreException), store.loading(), store.rejecting("device", "d1"):
        raise ObjectStoreException("Redis store is unavailable.")
    assert store.state is StoreState.FAILED


def test_all_rejects_are_counted_and_a_hundred_are_kept(store: BaseStore) -> None:
    with store.loading():
        for number in range(250):
            store.reject(Device, number, ValueError("x" * 10_000), {"text": "y" * 10_000})
    gap = store.record().gaps["device"]
    assert gap.rejected == 250
    assert [reject.what for reject in gap.rejects] == [str(number) for number in range(100)]
    assert {len(reject.reason) for reject in gap.rejects} == {500}
    assert {len(reject.payload) for reject in gap.rejects} == {2000}


@pytest.mark.parametrize(
    ("expected", "at_least", "says"),
    [
        (3, False, ""),
        (3, True, ""),
        (2, True, ""),
        (4, False, "3 records loaded, 4 expected"),
        (4, True, "3 records loaded, at least 4 expected"),
        (2, False, "3 records loaded, 2 expected"),
    ],
)
def test_a_load_is_complete_if_it_has_as_many_records_as_it_expects(
    store: BaseStore, expected: int, at_least: bool, says: str
) -> None:
    adapter = flat(store)
    with store.loading():
        adapter.expect("device", 1000)
        for record in good(3):
            adapter.add(Device(**record))
        adapter.expect("device", expected, at_least=at_least)
    assert store.state is (StoreState.PARTIAL if says else StoreState.COMPLETE)
    assert store.record().gaps == ({"device": Gap(reasons=(says,))} if says else {})


def test_a_rejected_record_is_not_also_counted_as_missing(store: BaseStore) -> None:
    with store.loading():
        store.expect("device", 1)
        store.reject("device", "d1", ValueError("no name"))
    assert store.record().gaps["device"].reasons == ("1 rejected, the first d1: ValueError: no name",)


def test_a_model_without_any_record_is_incomplete_too(store: BaseStore) -> None:
    with store.loading():
        store.expect("device", 5, at_least=True)
    assert store.record().reason == "device: 0 records loaded, at least 5 expected"


@pytest.mark.parametrize("count", [-1, True, 2.5, "5"])
def test_an_invalid_expected_number_is_refused(store: BaseStore, count: Any) -> None:
    with pytest.raises(ValueError, match="must be a whole number of at least 0"):
        store.expect("device", count)


def test_an_adapter_may_say_that_a_model_is_incomplete(store: BaseStore) -> None:
    adapter = sites(store)
    with store.loading():
        adapter.add(Site(name="ber"))
        adapter.incomplete("site", "region EMEA answered 403")
        adapter.incomplete(Site, "region EMEA answered 403")
    assert store.record().gaps == {"site": Gap(reasons=("region EMEA answered 403",))}


def test_a_partial_store_is_loaded_and_not_complete(store: BaseStore) -> None:
    with store.loading():
        store.incomplete("device", "page 3 timed out")
    assert store.require_loaded().state is StoreState.PARTIAL
    with pytest.raises(StoreNotComplete, match="is partial, not complete: device: page 3 timed out"):
        store.require_complete()


@pytest.mark.parametrize("state", [StoreState.LOADING, StoreState.FAILED])
def test_a_load_that_did_not_end_is_not_loaded(store: BaseStore, state: StoreState) -> None:
    with store.loading():
        pass
    store.mark(state)
    with pytest.raises(StoreNotComplete):
        store.require_loaded()


def test_the_next_load_begins_without_gaps(store: BaseStore) -> None:
    load(store, [{"name": None}])
    load(store, good(1))
    assert (store.state, store.record().gaps, store.record().reason) == (StoreState.COMPLETE, {}, "")


def reject_and_fail(store: BaseStore) -> None:
    with store.loading():
        store.expect("device", 9)
        store.reject("device", "d1", ValueError("no name"))
        raise ZeroDivisionError


def test_the_record_of_a_failed_load_has_its_rejects(store: BaseStore) -> None:
    with pytest.raises(ZeroDivisionError):
        reject_and_fail(store)
    assert store.state is StoreState.FAILED
    assert store.record().gaps["device"].rejected == 1


def test_secrets_are_redacted_in_rejects(store: BaseStore) -> None:
    with store.loading(redact=lambda text: text.replace("hunter2", "[secret]")):
        store.reject("device", "hunter2", ValueError("401 for hunter2"), {"url": "http://x?key=hunter2"})
        store.incomplete("site", "401 for hunter2")
    assert "hunter2" not in store.record().model_dump_json()


class Login(pydantic.BaseModel):
    user: str
    pass_word: pydantic.SecretStr
    nested: dict[str, Any] = {}


def test_payloads_of_any_kind_are_kept_as_text(store: BaseStore) -> None:
    nested: dict[str, Any] = {"snmp-community": "public", "at": {1, 2}}
    login = Login(user="u", pass_word=pydantic.SecretStr("hunter2"), nested=nested)
    itself: list[Any] = []
    itself.append(itself)
    with store.loading():
        for payload in (login, b"\x00", object(), itself, float("nan"), None):
            store.reject("device", "d1", ValueError(), payload)
    first, *_, last = (reject.payload for reject in store.record().gaps["device"].rejects)
    assert first == '{"user": "u", "pass_word": "***", "nested": {"snmp-community": "***", "at": [1, 2]}}'
    assert last == ""


def gaps_seen(url: str, store_id: str) -> dict[str, Any]:
    with open_store(url, store_id) as store:
        return {model: gap.model_dump() for model, gap in store.record().gaps.items()}


def test_another_process_reads_what_is_missing(open_redis: OpenStore, redis_url: str, store_id: str) -> None:
    store: RedisStore = open_redis()
    load(store, [*good(2), {"name": None}])
    seen = run(gaps_seen, url=redis_url, store_id=store_id)
    assert seen == {model: gap.model_dump(mode="json") for model, gap in store.record().gaps.items()}
