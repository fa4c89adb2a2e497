"""The order in which a seal counts the objects of the models."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffsync_store.store.redis.shards.model_order import groups_of

MODELS = ["a", "b", "c", "d"]


@pytest.mark.parametrize("names", [("above", "below"), ("below", "above")])
def test_a_model_comes_after_one_that_is_below_itself(names: tuple[str, str]) -> None:
    """Both reach the same models."""
    waits_for = {"above": {"below"}, "below": {"below"}}
    assert groups_of({name: waits_for[name] for name in names}) == [("below",), ("above",)]


@given(st.dictionaries(st.sampled_from(MODELS), st.sets(st.sampled_from(MODELS))))
def test_each_model_comes_after_those_that_it_waits_for(waits_for: dict[str, set[str]]) -> None:
    groups = groups_of(waits_for)
    assert sorted(model for group in groups for model in group) == sorted(waits_for)
    place = {model: number for number, group in enumerate(groups) for model in group}
    for model, others in waits_for.items():
        assert all(place[other] <= place[model] for other in others if other in place)
    for group in groups:
        for model in group:
            assert all(other in _reached(model, waits_for) for other in group if other != model)


def _reached(model: str, waits_for: dict[str, set[str]]) -> set[str]:
    found = set[str]()
    ahead = [model]
    while ahead:
        new = waits_for.get(ahead.pop(), set()) - found
        found |= new
        ahead += new
    return found
