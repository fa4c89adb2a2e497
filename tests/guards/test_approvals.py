"""An approval covers what was shown: what guards suppress then is not applied by a later sync without another approval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from diffsync_store import DiffNotApproved, Guards, Select, SyncOptions
from diffsync_store.diff import DiffElement
from diffsync_store.diffs import RedisDiffs
from diffsync_store.guards import Completeness, Suppressions
from diffsync_store.journal import Approval
from diffsync_store.project import SyncEntry
from diffsync_store.runs import SyncRequest, needs_approval, uncovered_by
from tests.guards.test_saved import diffs, save, sides
from tests.store.inventory import Inventory

__all__ = ["diffs", "sides"]
CAREFUL = SyncOptions(require_approval=True)
ALLOWED = ("partial:device",)
NOTHING: tuple[Callable[[DiffElement], None], Suppressions] = (lambda _: None, Suppressions())


@pytest.mark.parametrize("nothing", NOTHING, ids=["function", "suppressions"])
def test_held_deletes_are_not_released_without_another_approval(
    diffs: RedisDiffs, sides: tuple[Inventory, Inventory], store_id: str, nothing: Suppressions
) -> None:
    saved = save(diffs, sides, store_id)
    saved.approve(by="ann", reason="all deletes are held")
    released = replace(CAREFUL, suppress=nothing)
    expected = saved.dry_run(released)
    rehearsed = saved.rehearse(sides[1], released).result
    assert (rehearsed.updated, rehearsed.deleted, rehearsed.suppressed) == (1, 0, 7)
    result = saved.apply(*sides, options=released)
    assert (result.updated, result.deleted, result.suppressed) == (1, 0, 7)
    assert (expected.updated, expected.deleted, expected.suppressed) == (1, 0, 7)
    assert "the approval by ann does not cover them" in str(result.suppressed_operations)
    assert saved.apply(*sides, options=CAREFUL, guards=Guards().allowing(ALLOWED)).deleted == 0
    saved.approve(by="bob", reason="they are gone", allow=ALLOWED)
    assert saved.apply(*sides, options=CAREFUL, guards=Guards().allowing(ALLOWED)).deleted == 7
    saved.drop()


def test_an_approval_of_a_selection_is_not_one_of_the_diff(
    diffs: RedisDiffs, sides: tuple[Inventory, Inventory], store_id: str
) -> None:
    saved = save(diffs, sides, store_id)
    site = (Select(model="site", action="update"),)
    saved.approve(by="ann", reason="the site only", select=site)
    with pytest.raises(DiffNotApproved, match=r"the approval by ann .* does not cover operations other than select"):
        saved.apply(*sides, options=CAREFUL)
    assert saved.apply(*sides, options=replace(CAREFUL, select=site)).updated == 1
    saved.drop()


def test_what_an_approval_does_not_cover_is_named() -> None:
    approval = Approval.model_validate_json(
        '{"by": "ann", "at": "2026-01-01T00:00:00Z", "reason": "", "checksum": "c", "excluded": [], "is_rejected": false}'
    )  # as it was saved before approvals had allowances
    request = SyncRequest("d", allow=("partial:device", "delete:5"))
    assert uncovered_by(approval, SyncRequest("d")) == ()
    assert uncovered_by(approval, request) == ("allow 'partial:device'", "allow 'delete:5'")
    more = approval.model_copy(update={"allowed": ("delete:5",)})
    assert uncovered_by(more, request) == ("allow 'partial:device'",)
    assert uncovered_by(None, request) == ()


def test_nobody_is_asked_about_a_diff_of_which_everything_is_held(
    diffs: RedisDiffs, sides: tuple[Inventory, Inventory], store_id: str
) -> None:
    saved = save(diffs, sides, store_id)
    record = saved.record
    held = record.model_copy(update={"by_model": {"device": {"delete": 5}}, "summary": {"delete": 5}})
    declared = SyncEntry(source="a", target="b", approval="deletes")
    assert not needs_approval(declared, held)
    assert needs_approval(declared, held, ALLOWED)
    assert needs_approval(declared, record)  # it has deletes that no guard suppresses by itself
    lifted = declared.model_copy(
        update={"guards": Guards(completeness=Completeness(allow_partial=frozenset({"device"})))}
    )
    assert needs_approval(lifted, held)
    below = held.model_copy(update={"suppressions": (replace(held.suppressions[0], below=(("site", "a"),)),)})
    assert needs_approval(declared, below)
    saved.drop()
