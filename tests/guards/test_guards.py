"""The guards by themselves: records and counts in, suppressions and refusals out."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from diffsync_store import (
    ChangeLimitExceeded,
    ChangeLimits,
    Completeness,
    DiffException,
    Gap,
    Guards,
    Limit,
    Limits,
    LocalStore,
    StoredAdapter,
    StoreRecord,
    StoreReloaded,
    StoreState,
)
from diffsync_store.store.record import ModelSchema
from diffsync_store.store.redis import RedisStore
from tests.store.inventory import Device, Inventory, Site, sites


def record(state: StoreState = StoreState.COMPLETE, gaps: tuple[str, ...] = (), **counts: int) -> StoreRecord:
    store = LocalStore(adapter=sites())
    store.mark(state, "why", gaps={model: Gap(reasons=("page 3 timed out",)) for model in gaps})
    schemas = {model._modelname: ModelSchema.of(model) for model in (Site, Device)}
    schema = store.record().schema_.model_copy(update={"models": schemas})
    return store.record().model_copy(update={"counts": counts, "schema_": schema})


FULL = record(site=10, device=100)


def suppressed(source: StoreRecord, target: StoreRecord = FULL, **options: Any) -> dict[str, str]:
    found = Completeness(**options).suppressions(source, target)
    assert {one.action for one in found} <= {"delete"}
    return {one.model: one.allowance for one in found}


def test_nothing_is_suppressed_of_a_complete_source() -> None:
    assert suppressed(record(site=9, device=1)) == {}


def test_deletes_of_an_incomplete_model_and_its_descendants_are_suppressed() -> None:
    assert suppressed(record(StoreState.PARTIAL, ("device",), site=9, device=9)) == {"device": "partial:device"}
    assert suppressed(record(StoreState.PARTIAL, ("site",), site=9, device=9)) == dict.fromkeys(
        ("site", "device"), "partial:site"
    )


@pytest.mark.parametrize("state", [StoreState.PARTIAL, StoreState.LOADING, StoreState.FAILED])
def test_all_deletes_are_suppressed_where_the_load_proves_nothing(state: StoreState) -> None:
    assert set(suppressed(record(state, site=9, device=9))) == {"site", "device"}


def test_deletes_are_suppressed_where_the_source_has_none() -> None:
    assert suppressed(record(site=9)) == {"device": "empty:device"}
    assert suppressed(record(device=9)) == dict.fromkeys(("site", "device"), "empty:site")
    assert suppressed(record(), record()) == {}


def test_allowed_changes_are_not_suppressed() -> None:
    partial = record(StoreState.PARTIAL, ("site",), site=9, device=9)
    assert suppressed(partial, allow_partial={"site"}) == {}
    assert suppressed(partial, allow_partial={"device"}) == {"site": "partial:site"}
    assert suppressed(record(site=9), allow_empty={"device"}) == {}


def test_a_suppression_names_its_allowance() -> None:
    [suppression] = Guards().suppressions(record(site=9), FULL).all
    assert str(suppression).endswith(
        "To apply them once, allow 'empty:device': guards.allowing(['empty:device']), "
        "`diffsync-store apply --allow empty:device`, or the parameter `allow` of a sync's flow run."
    )


@pytest.mark.parametrize(
    "source", [record(), record(StoreState.LOADING, site=1), record(StoreState.PARTIAL, ("site", "device"))]
)
def test_the_allowance_of_each_suppression_lifts_it(source: StoreRecord) -> None:
    guards = Guards()
    while found := guards.suppressions(source, FULL).all:
        wider = guards.allowing(one.allowance for one in found)
        assert wider.suppressions(source, FULL).all != found
        guards = wider


def limited(limit: Limit, place: str = "per_model") -> Guards:
    return Guards(change_limits=ChangeLimits.model_validate({place: {"delete": limit.model_dump()}}))


@pytest.mark.parametrize(
    ("limit", "number", "there", "is_over"),
    [
        (Limit(percent=10), 10, 100, False),
        (Limit(percent=10), 11, 100, True),
        (Limit(percent=10), 9, 9, False),
        (Limit(percent=10, floor=0), 9, 9, True),
        (Limit(percent=0, floor=0), 1, 0, True),
        (Limit(absolute=5), 5, 9, False),
        (Limit(absolute=5), 6, 9, True),
        (Limit(absolute=0), 1, 0, True),
        (Limit(absolute=50, percent=10), 11, 100, True),
        (Limit(), 1000, 1, False),
    ],
)
@pytest.mark.parametrize("place", ["per_model", "sync"])
def test_a_limit_counts_by_percent_and_by_number(
    limit: Limit, number: int, there: int, is_over: bool, place: str
) -> None:
    counts = {"device": {"delete": number, "update": 10_000}}
    if not is_over:
        limited(limit, place).check(counts, record(device=there))
        return
    with pytest.raises(ChangeLimitExceeded):
        limited(limit, place).check(counts, record(device=there))


def test_a_model_may_have_limits_of_its_own() -> None:
    limits = {"device": Limits(delete=Limit(absolute=100))}
    guards = Guards(change_limits=ChangeLimits(per_model=Limits(delete=Limit(absolute=1)), models=limits))
    guards.check({"device": {"delete": 100}}, FULL)
    with pytest.raises(ChangeLimitExceeded):
        guards.check({"site": {"delete": 2}}, FULL)


def test_the_message_gives_limit_counts_worst_models_and_what_allows_it_once() -> None:
    guards = Guards(
        change_limits=ChangeLimits(sync=Limits(delete=Limit(absolute=20)), per_model=Limits(delete=Limit(percent=5)))
    )
    counts = {"site": {"delete": 3}, "device": {"delete": 90, "update": 4}}
    with pytest.raises(ChangeLimitExceeded) as raised:
        guards.check(counts, FULL)
    assert str(raised.value).splitlines() == [
        "Nothing was applied: the sync exceeds its change limits:",
        "  93 deletes of all models together, of 110 objects in the target (84.5 %): the limit is 20",
        "  90 deletes of device, of 100 objects in the target (90 %): the limit is 5 %",
        "  3 deletes of site, of 10 objects in the target (30 %): the limit is 5 %",
        "Check the diff. If the changes are correct, allow them once:",
        "  guards.allowing(['delete:93', 'delete:90:device', 'delete:3:site'])",
    ]
    guards.allowing(excess.allowance for excess in raised.value.excesses).check(counts, FULL)
    with pytest.raises(ChangeLimitExceeded, match="91 deletes of device"):
        guards.allowing(["delete:93", "delete:90:device", "delete:3:site"]).check(
            {**counts, "device": {"delete": 91}}, FULL
        )


def test_what_is_suppressed_does_not_count_against_the_limits() -> None:
    guards = limited(Limit(absolute=0))
    source = record(StoreState.PARTIAL, ("device",), site=10, device=1)
    guards.check({"device": {"delete": 99}}, FULL, guards.suppressions(source, FULL))


@pytest.mark.parametrize(
    "text", ["", "delete", "delete:", "delete:x:device", "delete:5:", "partial:", "drop:5", "delete:-1"]
)
def test_what_allows_nothing_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(ValueError, match="is not a valid allowance: write 'delete:990:device'"):
        Guards().allowing([text])


def test_one_allowance_may_stand_without_a_list() -> None:
    assert Guards().allowing("partial:device").completeness.allow_partial == {"device"}


def test_limits_may_name_a_model_that_the_target_has_none_of_yet() -> None:
    guards = Guards(change_limits=ChangeLimits(models={"rack": Limits(delete=Limit(absolute=0))}))
    guards.check({"device": {"create": 1}}, FULL)


def test_a_model_of_any_name_may_be_allowed() -> None:
    counts = {"a:b": {"delete": 7}}
    limited(Limit(absolute=1)).allowing(["delete:7:a:b"]).check(counts, FULL)


@pytest.mark.parametrize("limit", [{"percent": -1}, {"absolute": -1}, {"floor": -1}, {"percents": 5}])
def test_a_limit_that_makes_no_sense_is_refused(limit: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        Limit(**limit)


@pytest.mark.parametrize("action", ["delete", "update"])
def test_more_than_all_that_there_is_is_no_limit_for_what_is_deleted_or_updated(action: str) -> None:
    with pytest.raises(pydantic.ValidationError, match="500 percent can never be reached"):
        Limits(**{action: Limit(percent=500)})
    assert dict(Limits(create=Limit(percent=500), **{action: Limit(percent=100)}).by_action())[action] == Limit(
        percent=100
    )


def test_creates_that_a_partial_target_may_have_are_suppressed() -> None:
    target = record(StoreState.PARTIAL, ("site",), site=9, device=9)
    found = Completeness().suppressions(FULL, target)
    assert [(one.model, one.action) for one in found] == [("device", "create"), ("site", "create")]
    assert Completeness(allow_partial=frozenset({"site"})).suppressions(FULL, target) == ()


# In memory


def inventory(*names: str, devices: int = 2) -> Inventory:
    adapter = sites()
    with adapter.store.loading():
        for name in names:
            site = Site(name=name)
            adapter.add(site)
            for number in range(devices):
                device = Device(name=f"{name}-{number}")
                adapter.add(device)
                site.add_child(device)
    return adapter


def test_an_unguarded_sync_of_a_partial_source_deletes_as_usual() -> None:
    source, target = inventory("a"), inventory("a", "b")
    source.store.mark(StoreState.PARTIAL)
    target.sync_from(source)
    assert target.count("site") == 1


def test_a_guarded_sync_suppresses_deletes_and_applies_the_rest() -> None:
    source, target = inventory("a", "c"), inventory("a", "b")
    source.get(Site, "a").region = "EMEA"
    source.store.mark(StoreState.PARTIAL, gaps={"site": Gap(reasons=("403",))})
    diff = target.sync_from(source, guards=Guards())
    assert [site.name for site in target.get_all(Site)] == ["a", "b", "c"]
    assert target.count("device") == 6
    assert target.get(Site, "a").region == "EMEA"
    assert diff.summary()["delete"] == 0


def test_an_object_with_suppressed_children_is_not_deleted() -> None:
    source, target = inventory("a"), inventory("a", "b")
    source.store.mark(StoreState.PARTIAL, gaps={"device": Gap(reasons=("403",))})
    target.sync_from(source, guards=Guards())
    assert (target.count("site"), target.count("device")) == (2, 4)


def test_nothing_is_created_below_a_suppressed_create() -> None:
    source, target = inventory("a", "b"), inventory("a")
    target.store.mark(StoreState.PARTIAL, gaps={"site": Gap(reasons=("a bad row",))})
    options = Completeness(allow_partial=frozenset({"device"}))
    target.sync_from(source, guards=Guards(completeness=options))
    assert (target.count("site"), target.count("device")) == (1, 2)


def test_an_object_without_children_that_are_suppressed_goes() -> None:
    source, target = inventory("a", devices=1), inventory("a", "b", devices=0)
    source.store.mark(StoreState.PARTIAL, gaps={"device": Gap(reasons=("403",))})
    target.sync_from(source, guards=Guards())
    assert [site.name for site in target.get_all(Site)] == ["a"]


def test_a_source_whose_load_did_not_end_deletes_nothing() -> None:
    source = sites()
    source.add(Site(name="a"))
    target = inventory("a", "b")
    target.sync_from(source, guards=Guards())
    assert target.count("site") == 2


def test_a_guarded_sync_over_its_limits_changes_nothing() -> None:
    source, target = inventory("a"), inventory("a", "b")
    source.get(Site, "a").region = "EMEA"
    with pytest.raises(ChangeLimitExceeded):
        source.sync_to(target, guards=limited(Limit(absolute=0)))
    assert (target.count("site"), target.get(Site, "a").region) == (2, None)


def test_a_diff_that_is_read_piece_by_piece_needs_another_way() -> None:
    source, target = inventory("a"), inventory("a")
    diff = target.diff_from(source)
    del diff.children
    with pytest.raises(DiffException, match="Guards need a diff in memory"):
        target.sync_from(source, diff=diff, guards=Guards())


@pytest.mark.parametrize("after", ["it ends", "another one begins", "another one ends"])
def test_what_a_load_brings_while_the_diff_is_made_is_not_deleted(redis_url: str, store_id: str, after: str) -> None:
    """The guards judge the load that the diff has read, however it stands by then."""
    source = sites(RedisStore(store_id=store_id, url=redis_url, ttl=60))
    target = sites(LocalStore())
    with target.store.loading():
        for number in range(60):
            target.add(Site(name=f"s{number}"))
    load = source.store.loading()
    load.__enter__()
    for number in range(20):
        source.add(Site(name=f"s{number}"))
    source.store.flush()
    if after != "it ends":
        load.__exit__(None, None, None)
    ended: list[bool] = []

    def progress(stage: str, done: int, total: int) -> None:
        if stage != "diff" or done < total or ended:
            return
        ended.append(True)
        if after == "it ends":
            for number in range(20, 60):
                source.add(Site(name=f"s{number}"))
            load.__exit__(None, None, None)
            return
        again = source.store.loading()
        again.__enter__()
        if after == "another one ends":
            again.__exit__(None, None, None)

    reader = StoredAdapter(RedisStore(store_id=store_id, url=redis_url))
    if after == "it ends":
        diff = target.sync_from(reader, guards=Guards(), callback=progress)
        assert diff.result is not None
        assert diff.result.deleted == 0
    else:
        with pytest.raises(StoreReloaded, match="was loaded again at"):
            target.sync_from(reader, guards=Guards(), callback=progress)
    assert (bool(ended), target.count("site")) == (True, 60)
    source.store.drop()


@pytest.mark.parametrize("after", ["it ends", "another one begins"])
@pytest.mark.parametrize("is_local", [True, False], ids=["local", "redis"])
def test_a_given_diff_is_refused_if_its_load_has_ended_or_another_has_started(
    redis_url: str, store_id: str, after: str, *, is_local: bool
) -> None:
    source = sites(LocalStore() if is_local else RedisStore(store_id=store_id, url=redis_url, ttl=60))
    target = sites(LocalStore())
    with target.store.loading():
        target.add(Site(name="a"))
    load = source.store.loading()
    load.__enter__()
    if after != "it ends":
        load.__exit__(None, None, None)
    diff = target.diff_from(source)
    if after == "it ends":
        source.add(Site(name="a"))
        load.__exit__(None, None, None)
    else:
        again = source.store.loading()
        again.__enter__()
    with pytest.raises(StoreReloaded, match="was loading when" if after == "it ends" else "was loaded again"):
        target.sync_from(source, diff=diff, guards=Guards())
    assert target.count("site") == 1
    source.store.drop()
