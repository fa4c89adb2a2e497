import pytest
from prefect.client.schemas.objects import StateType

from diffsync_flows.runtime.states import Ending, Outcome, outcome_of

STANDARD = {"Completed", "Cancelled"}
"""Prefect 3.8 lists the runs of a deployment by such names, and leaves out others."""


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_ends_in_a_state_that_prefect_names_so_itself(outcome: Outcome) -> None:
    state = Ending(outcome, "Why.").to_state()
    assert state.name in STANDARD
    assert state.type is StateType[str(state.name).upper()]
    assert str(state.message).endswith("Why.")
    assert outcome is Outcome.COMPLETE or str(state.message).startswith(f"{outcome.label}: ")


def test_what_was_not_done_is_not_completed() -> None:
    assert {each for each in Outcome if Ending(each).to_state().is_cancelled()} == {
        Outcome.REJECTED,
        Outcome.SUPERSEDED,
    }
    assert Ending(Outcome.SKIPPED, is_cancelled=True).to_state().is_cancelled()


def test_programs_read_the_outcome_from_the_tags() -> None:
    assert outcome_of(["diffsync", "outcome:partial"]) is Outcome.PARTIAL
    assert outcome_of(["diffsync"]) is Outcome.COMPLETE
    assert outcome_of(["outcome:unheard-of"]) is Outcome.COMPLETE


def test_a_message_with_direction_characters_is_escaped() -> None:
    assert Ending(Outcome.PARTIAL, "a\u202eb").to_state().message == "Partial: a\\u202eb"
