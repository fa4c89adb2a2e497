from datetime import UTC, datetime

from diffsync_flows.runtime.states import Outcome
from diffsync_flows.steps.load_ending import load_ending, load_title
from diffsync_flows.steps.outcome import NOBODY_ASKED
from diffsync_flows.steps.step_end import StepEnd, reconcile_ending
from diffsync_store import StoreRecord, StoreState
from diffsync_store.store.load_report import Gap

NOW = datetime(2026, 11, 28, tzinfo=UTC)
LOADED = StepEnd("load netbox · 12 objects", Outcome.COMPLETE)
LACKING = StepEnd("PARTIAL: load netbox · 3 of about 12 objects", Outcome.PARTIAL)
WAITING = StepEnd("sync a → b · 2 delete", Outcome.COMPLETE, "Waiting for approval: http://x", "http://x", True)


def record(state: StoreState, objects: int) -> StoreRecord:
    gaps = {"device": Gap(reasons=("37 records loaded, 155 expected",))} if state is StoreState.PARTIAL else {}
    reason = "device: 37 records loaded, 155 expected" if gaps else ""
    return StoreRecord(
        store_id="s", state=state, reason=reason, gaps=gaps, counts={"device": objects}, created=NOW, updated=NOW
    )


def test_a_partial_load_says_how_much_it_lacks_and_what_follows() -> None:
    found = record(StoreState.PARTIAL, 37)
    assert load_title("netbox", found, 155) == "netbox · 37 of about 155 objects"
    ending = load_ending(found, 155)
    assert (ending.outcome, ending.data) == (Outcome.PARTIAL, "s")
    assert ending.message.startswith("The store has 37 of about 155 objects. device: 37 records loaded, 155 expected. ")
    assert "the sync leaves out the deletes of device that the load does not prove" in ending.message
    assert ending.message.endswith("Fix the cause, then load again.")


def test_a_partial_load_that_has_more_than_the_last_one_claims_nothing_about_it() -> None:
    assert load_title("netbox", record(StoreState.PARTIAL, 37), 20) == "netbox · 37 objects"
    assert load_title("netbox", record(StoreState.PARTIAL, 37)) == "netbox · 37 objects"


def test_a_complete_load_needs_no_words() -> None:
    ending = load_ending(record(StoreState.COMPLETE, 155), 1000)
    assert (ending.outcome, ending.message) == (Outcome.COMPLETE, "")
    assert load_title("netbox", record(StoreState.COMPLETE, 155), 1000) == "netbox · 155 objects"


def test_a_reconcile_is_partial_if_a_step_is() -> None:
    ending = reconcile_ending([LACKING, LOADED], {}, dry_run=False)
    assert ending.outcome is Outcome.PARTIAL
    assert ending.message == (
        "Some records were not loaded: load netbox · 3 of about 12 objects. The artifacts of this step list them."
    )


def test_a_reconcile_says_that_nobody_was_asked() -> None:
    step = StepEnd("PARTIAL: sync a → b · 2 delete", Outcome.PARTIAL, f"2 operations were not applied. {NOBODY_ASKED}")
    assert NOBODY_ASKED in reconcile_ending([step], {}, dry_run=False).message


def test_a_dry_run_is_named_as_one_and_still_says_what_is_partial() -> None:
    ending = reconcile_ending([LACKING], {}, dry_run=True)
    assert ending.outcome is Outcome.DRY_RUN
    assert ending.message.startswith("Nothing was changed. Some records were not loaded: ")


def test_a_step_that_applied_nothing_decides_how_the_reconcile_ends() -> None:
    for outcome in (Outcome.ALREADY_PENDING, Outcome.REJECTED, Outcome.SKIPPED, Outcome.SUPERSEDED):
        step = StepEnd("sync a → b", outcome, "Why.")
        ending = reconcile_ending([LACKING, step], {}, dry_run=False)
        assert (ending.outcome, ending.message) == (outcome, "Why.")


def test_a_step_that_waits_is_shown_as_waiting() -> None:
    assert WAITING.row() == ("sync a → b · 2 delete", "waits for approval", "http://x")
    assert reconcile_ending([LACKING, WAITING], {}, dry_run=False).message == "Waiting for approval: http://x"
