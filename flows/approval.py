"""Asking a person before a diff is applied, without holding a worker meanwhile; who, when and why is kept with the diff."""

from collections.abc import Mapping, Sequence
from typing import Literal

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas import FlowRun
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateName, FlowRunFilterTags
from prefect.flow_runs import resume_flow_run, suspend_flow_run
from prefect.input import RunInput
from pydantic import Field

from diffsync_store import Select
from diffsync_store.store.redis_diffs import DiffRecord, SavedDiff
from flows.artifacts import review
from flows.declarations import SyncEntry
from flows.faults import Fault

MOST_WAITING = 200
HOW = "**Decide at the end of this form.** Resumed as it is, the diff is rejected.\n\n"
GIVEN = ("allow", "select", "exclude")
"""Parameters of a sync by which it applies more, or less, than the whole diff within the guards."""
TO_DECIDE = "To decide: Resume, in the menu with the three dots, or in a terminal: python -m flows approve %s --by NAME"
NO_REASON = "no reason given"


class Decision(RunInput):
    """May this diff be applied?"""

    decision: Literal["reject", "approve"] = Field(
        "reject", description="Approve: the diff is applied as it was saved. Reject: it is not, and stays refused"
    )
    by: str = Field("", description="Who decides; kept with the diff")
    comment: str = Field("", description="Why, or the number of a change; kept with the diff")
    leave_out_actions: list[Literal["create", "update", "delete"]] = Field(
        [], description="Approve all but these; they are held until somebody approves them too"
    )
    leave_out_models: list[str] = Field([], description="Approve all but the operations of these models")

    @property
    def excluded(self) -> tuple[Select, ...]:
        """What is left out."""
        actions = [Select(action=action) for action in self.leave_out_actions]
        return (*actions, *(Select(model=model) for model in self.leave_out_models))


class Rejected(RuntimeError):
    """Somebody has decided that the diff is not applied."""


def require_approval(saved: SavedDiff, sync: SyncEntry, asked: Mapping[str, Sequence[object]]) -> None:
    """Wait until somebody has approved the diff, as a terminal or a run before this one may have done already.

    Where nobody has, the flow run is suspended: its process ends, and the flow begins anew, on any worker, when it is
    resumed. A decision is on the elements that were shown: where the diff has others by then, it is asked for again.

    Args:
        saved: the diff.
        sync: what is declared of it.
        asked: what the run was started with, for the one who decides.

    Raises:
        Rejected: somebody has rejected it.
    """
    approval, checksum = saved.journal().approval(), saved.checksum()
    if approval is not None and not approval.is_rejected and approval.checksum == checksum:
        return
    question = Decision.with_initial_data(description=HOW + review(saved, asked))
    log = get_run_logger()
    log.info(TO_DECIDE, saved.record.diff_id)
    given = suspend_flow_run(wait_for_input=question, timeout=sync.approval_timeout, key=f"approval-{checksum[:16]}")
    by = given.by or "somebody in Prefect's UI"
    if given.decision == "approve":
        saved.approve(by=by, reason=given.comment, checksum=checksum, exclude=given.excluded)
        log.info("%s has approved the diff: %s", by, given.comment or NO_REASON)
        return
    saved.reject(by=by, reason=given.comment)
    raise Rejected(f"{by} has rejected the diff: {given.comment or NO_REASON}")


def decide(
    saved: SavedDiff, *, by: str, reason: str, is_approved: bool, checksum: str, exclude: tuple[Select, ...] = ()
) -> list[str]:
    """Approve or reject a diff, and resume the flow runs that wait for it; their names.

    Args:
        saved: the diff.
        by: who decides.
        reason: why.
        is_approved: or rejected.
        checksum: what the diff had when it was looked at.
        exclude: what is left out.
    """
    if is_approved:
        saved.approve(by=by, reason=reason, checksum=checksum, exclude=exclude)
    else:
        saved.reject(by=by, reason=reason)
    answer = {"decision": "approve" if is_approved else "reject", "by": by, "comment": reason}
    runs = waiting(saved.record)
    for run in runs:
        resume_flow_run(run.id, run_input=answer)
    return [run.name for run in runs]


def asked_by(runs: Sequence[FlowRun]) -> dict[str, Sequence[object]]:
    """What the runs were started with, for the one who decides."""
    return {f"{run.name}: {name}": run.parameters[name] for run in runs for name in GIVEN if run.parameters.get(name)}


def count_left_out(saved: SavedDiff, exclude: Sequence[Select]) -> int:
    """How many operations of a diff are named by what is left out of it.

    Raises:
        Fault: something names none: a mistake in its spelling would let through what was to be left out.
    """
    if not exclude:
        return 0
    total, unused = 0, set(exclude)
    for operation in saved.operations():
        element = operation.element(saved.record.source_name, saved.record.target_name)
        fitting = {rule for rule in exclude if rule.fits(element)}
        total += bool(fitting)
        unused -= fitting
    if unused:
        models = ", ".join(saved.record.by_model) or "none"
        raise Fault(f"No operation of the diff is of {'; '.join(map(str, unused))}. Its models are {models}.")
    return total


def waiting(record: DiffRecord) -> list[FlowRun]:
    """The flow runs that are suspended until somebody decides about a diff."""
    suspended = FlowRunFilter(
        state=FlowRunFilterState(name=FlowRunFilterStateName(any_=["Suspended"])),
        tags=FlowRunFilterTags(all_=["diffsync"]),
    )
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=suspended, limit=MOST_WAITING)
    return [run for run in runs if run.parameters.get("diff_id") == record.diff_id]
