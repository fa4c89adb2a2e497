"""A saved diff is applied as its rules decide: what they let through at once, what they review once it is approved."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diffsync_store import Agent, DiffNotApproved, Select
from diffsync_store.canary import Canary, read_canary
from diffsync_store.diffs import RedisDiffs, SavedDiff
from diffsync_store.enum import OperationState
from diffsync_store.exceptions import InvalidRule
from diffsync_store.rules import Decision, Rule, Rules
from diffsync_store.store.redis import Connection, RedisStore
from diffsync_store.sync import SyncOptions
from tests.noted_inventory import Inventory, Tree, Write

SOURCE: Tree = {"lab": {"a": "leaf", "b": "leaf"}, "new": {"a": "leaf"}}
TARGET: Tree = {"lab": {"a": "spine", "c": "leaf"}, "old": {"a": "leaf"}}


class World:
    """One saved diff with its two sides."""

    def __init__(self, connection: Connection, source: Tree, target: Tree, rules: Rules) -> None:
        self.connection = connection
        self.ids = [f"rules-{uuid.uuid4().hex}" for _ in range(2)]
        self.source, self.target = (
            Inventory(tree, name=name, internal_storage_engine=RedisStore(store_id, connection=connection))
            for name, tree, store_id in zip(("source", "target"), (source, target), self.ids, strict=True)
        )
        for side in (self.source, self.target):
            with side.store.loading():
                side.load()
        self.diffs = RedisDiffs(connection=connection)
        self.diff_id = self.diffs.compare(self.source, self.target, operation_rules=rules)

    @property
    def saved(self) -> SavedDiff:
        return self.diffs.open(self.diff_id)

    def apply(self, *, agent: Agent | None = None, **options: Any) -> set[Write]:
        self.target.writes.clear()
        self.result = self.saved.apply(self.source, self.target, options=SyncOptions(**options), agent=agent)
        return set(self.target.writes)

    def states(self) -> dict[str, str]:
        return {
            f"{operation.action} {operation.unique_id}": entry.state.value for operation, entry in self.saved.outcomes()
        }

    def drop(self) -> None:
        self.saved.drop()
        for side in (self.source, self.target):
            side.store.drop()
            side.store.close()


def rules(*found: dict[str, Any], approval: Any = "never") -> Rules:
    return Rules(all=tuple(map(Rule.model_validate, found)), approval=approval)


@pytest.fixture
def make(redis_connection: Connection) -> Iterator[Any]:
    worlds: list[World] = []

    def make(found: Rules, source: Tree = SOURCE, target: Tree = TARGET) -> World:
        worlds.append(World(redis_connection, source, target, found))
        return worlds[-1]

    yield make
    for world in worlds:
        world.drop()


def test_what_the_rules_let_through_is_applied_at_once_and_the_rest_once_it_is_approved(make: Any) -> None:
    world = make(
        rules(
            {"action": "update", "attributes": ["role"], "then": "apply"},
            {"model": "device", "action": "delete", "then": "review", "name": "deletes"},
            {"action": "delete", "where": {"name": "old"}, "then": "hold", "name": "sites stay"},
            {"where": {"name": "b"}, "then": "ignore"},
        )
    )
    assert world.apply() == {("update", "device", "lab__a"), ("create", "site", "new"), ("create", "device", "new__a")}
    assert world.result.counts() | {"created": 2, "updated": 1} == world.result.counts()
    assert (world.result.waiting, world.result.ignored, world.result.suppressed) == (2, 1, 1)
    assert {(each.unique_id, each.state, each.reason) for each in world.result.suppressed_operations} == {
        ("lab__c", "waiting", "waits for 1 approval (rule 'deletes')"),
        ("old__a", "waiting", "waits for 1 approval (rule 'deletes')"),
        ("old", "suppressed", "suppressed by the rule 'sites stay'"),
    }
    assert not world.result.is_complete
    assert world.states()["create lab__b"] == "ignored"
    assert world.states()["delete lab__c"] == "waiting"
    assert world.apply() == set()

    world.saved.approve(by="ann", reason="")
    assert world.apply() == {("delete", "device", "lab__c"), ("delete", "device", "old__a")}
    assert world.result.done_before == 3
    assert (world.result.waiting, world.result.suppressed) == (0, 1)


def test_a_diff_of_which_only_ignored_operations_are_left_is_applied(make: Any) -> None:
    world = make(rules({"action": "delete", "then": "ignore"}, {"then": "apply"}))
    world.apply()
    assert world.result.is_complete
    assert world.saved.journal().application() is not None


def test_as_many_different_people_as_a_rule_asks_for(make: Any) -> None:
    world = make(rules({"action": "delete", "then": "review", "approvers": 2}, {"then": "review"}))
    world.saved.approve(by="ann", reason="")
    assert {action for action, _, _ in world.apply()} == {"create", "update"}
    world.saved.approve(by=" ANN", reason="once more")
    assert not world.apply()
    assert all("approved by" in each.reason for each in world.result.suppressed_operations)
    world.saved.approve(by="bob", reason="")
    assert {action for action, _, _ in world.apply()} == {"delete"}
    assert world.result.is_complete


def test_an_approver_leaves_operations_out_and_a_rejection_ends_the_approvals(make: Any) -> None:
    world = make(rules({"then": "review", "approvers": 2}))
    world.saved.approve(by="ann", reason="", exclude=(Select(action="delete"),))
    world.saved.approve(by="bob", reason="")
    assert {action for action, _, _ in world.apply()} == {"create", "update"}
    world.saved.reject(by="eve", reason="")
    with pytest.raises(DiffNotApproved, match="eve rejected"):
        world.apply()
    world.saved.approve(by="bob", reason="")
    assert not world.apply()  # ann has to approve again


def test_an_approval_of_another_selection_does_not_count(make: Any) -> None:
    world = make(rules({"then": "review"}))
    world.saved.approve(by="ann", reason="", select=(Select(model="device"),))
    assert not world.apply()
    assert not world.apply(select=(Select(action="delete"),))
    assert world.apply(select=(Select(model="device"),))


def test_what_is_left_out_with_a_waiting_or_ignored_operation_waits_or_is_ignored_too(make: Any) -> None:
    world = make(
        rules(
            {"model": "site", "action": "create", "then": "review"},
            {"action": "delete", "model": "device", "then": "ignore"},
        )
    )
    world.apply()
    states = world.states()
    assert (states["create new"], states["create new__a"]) == ("waiting", "waiting")
    assert (states["delete old__a"], states["delete old"]) == ("ignored", "ignored")
    assert (world.result.waiting, world.result.ignored, world.result.suppressed) == (2, 3, 0)


def test_a_retry_leaves_out_what_was_never_tried_and_says_so(make: Any) -> None:
    world = make(rules({"then": "review"}))
    world.apply()
    world.saved.approve(by="ann", reason="")
    assert world.apply(retry_rejected=True) == set()
    assert {each.reason for each in world.result.suppressed_operations} == {"not rejected before, so not retried"}
    assert len(world.apply()) == 7


def test_a_dry_run_says_the_same_as_the_sync(make: Any) -> None:
    world = make(rules({"action": "delete", "then": "review"}, {"action": "update", "then": "ignore"}))
    told = world.saved.dry_run()
    world.apply()
    assert told.counts() == world.result.counts()
    assert [(each.operation_id, each.state, each.reason) for each in told.suppressed_operations] == [
        (each.operation_id, each.state, each.reason) for each in world.result.suppressed_operations
    ]


def test_agents_apply_by_the_rules_too(make: Any) -> None:
    world = make(rules({"action": "delete", "then": "review"}, {"action": "update", "then": "ignore"}))
    alone = make(rules({"action": "delete", "then": "review"}, {"action": "update", "then": "ignore"}))
    assert world.apply(agent=Agent(name="one")) == alone.apply()
    assert world.result.counts() == alone.result.counts()
    assert world.states() == alone.states()
    world.saved.approve(by="ann", reason="")
    alone.saved.approve(by="ann", reason="")
    assert world.apply(agent=Agent(name="two")) == alone.apply()


def test_a_rule_of_an_unknown_field_is_refused_before_the_diff_is_saved(make: Any) -> None:
    with pytest.raises(InvalidRule, match="device has no field 'stie'"):
        make(rules({"model": "device", "where": {"stie": "lab"}, "then": "hold"}))


def test_the_record_counts_what_each_rule_decides(make: Any) -> None:
    record = make(rules({"action": "delete", "then": "hold", "name": "keep"}, approval="always")).saved.record
    assert {(one.rule, one.decision.value, one.model, one.action): one.count for one in record.rulings} == {
        ("keep", "hold", "device", "delete"): 2,
        ("keep", "hold", "site", "delete"): 1,
        ("", "review", "device", "create"): 2,
        ("", "review", "device", "update"): 1,
        ("", "review", "site", "create"): 1,
    }


def test_people_who_approve_at_the_same_time_all_count(make: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    world = make(rules({"then": "review", "approvers": 8}))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: world.saved.approve(by=name, reason=""), "abcdefgh"))
    approval = world.saved.journal().approval()
    assert sorted([approval.by, *(one.by for one in approval.earlier)]) == list("abcdefgh")
    world.apply()
    assert world.result.is_complete


trees = st.dictionaries(
    st.sampled_from(["lab", "hq", "old"]),
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(["leaf", "spine"]), max_size=3),
    max_size=3,
)
rule_parts = st.fixed_dictionaries(
    {"then": st.sampled_from(["apply", "review", "hold", "ignore"])},
    optional={
        "model": st.sampled_from(["device", "site", "*"]),
        "action": st.sampled_from(["create", "update", "delete"]),
        "where": st.dictionaries(
            st.sampled_from(["site", "name", "role"]), st.sampled_from(["lab", "a", "l*", "*"]), max_size=1
        ),
    },
)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each example has stores of its own
)
@given(
    source=trees,
    target=trees,
    drawn=st.lists(rule_parts, max_size=4),
    approval=st.sampled_from(["never", "deletes", "always"]),
)
def test_nothing_is_written_that_the_rules_do_not_let_through(
    redis_connection: Connection, source: Tree, target: Tree, drawn: list[dict[str, Any]], approval: str
) -> None:
    found = rules(*drawn, {"model": "none", "then": "hold"}, approval=approval)
    world = World(redis_connection, source, target, found)
    try:
        decided = {
            (str(operation.action), operation.model, str(operation.unique_id)): found.ruling(
                operation.element("", "")
            ).decision
            for operation in world.saved.operations()
        }
        written = world.apply()
        assert {decided[write] for write in written} <= {Decision.APPLY}
        _check_left_out(world, decided, written, {Decision.APPLY})
        world.saved.approve(by="ann", reason="")
        more = world.apply()
        assert {decided[write] for write in more} <= {Decision.APPLY, Decision.REVIEW}
        assert not more & written
        _check_left_out(world, decided, written | more, {Decision.APPLY, Decision.REVIEW})
        assert not world.result.waiting
    finally:
        world.drop()


def _check_left_out(
    world: World, decided: dict[Write, Decision], written: set[Write], let_through: set[Decision]
) -> None:
    """Check that all else is left out by its own decision, or because an object that it depends on is."""
    stopped = {write for write in decided if decided[write] not in let_through}
    for action, model, uid in decided.keys() - written - stopped:
        site = uid.partition("__")[0]
        if action == "create":
            assert ("create", "site", site) in stopped
        else:
            assert (action, model) == ("delete", "site")
            assert any(each[0] == "delete" and each[2].startswith(f"{uid}__") for each in stopped)
    states = {entry.state for _, entry in world.saved.outcomes()}
    assert OperationState.SENT not in states
    if not world.result.applied_before:  # it was complete, and nothing is counted again
        assert len(written) + world.result.suppressed + world.result.waiting + world.result.ignored == len(decided)


def test_each_part_of_a_diff_has_a_canary_of_its_own(make: Any) -> None:
    world = make(rules({"action": "create", "then": "apply"}, approval="always"))
    canary = Canary(first=1)
    first = world.apply(canary=canary)
    assert {action for action, _, _ in first} == {"create"}
    assert world.result.canary is not None
    assert world.result.canary.operations == 1
    chosen = read_canary(world.saved.journal())
    world.saved.approve(by="ann", reason="looked")
    rest = world.apply(canary=canary)
    assert rest
    assert "create" not in {action for action, _, _ in rest}
    again = read_canary(world.saved.journal())
    assert chosen is not None
    assert again is not None
    assert again.ids
    assert not {*again.ids} & {*chosen.ids}
    assert world.result.is_complete
