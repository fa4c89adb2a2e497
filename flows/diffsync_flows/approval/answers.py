"""Save decisions that are made outside of Prefect's UI, and resume the flow runs that wait for them."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

from prefect.client.schemas import FlowRun
from prefect.exceptions import FlowPauseTimeout, NotPausedError, ObjectNotFound
from prefect.flow_runs import resume_flow_run
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from diffsync_flows.approval.pending import pending_runs, suspended_runs
from diffsync_flows.approval.waiting_reconciles import settle_all
from diffsync_flows.approval.window_wait import end_scheduled
from diffsync_flows.runtime.context import SyncContext
from diffsync_store import DiffNotFound, Select
from diffsync_store.diffs import SavedDiff
from diffsync_store.project import UserError
from diffsync_store.runs import Selection, SyncRequest, has_all_approvals, uncovered_by, undecided_refusal

Answer = dict[str, str]
"""The values of a run's form."""
ALREADY_RESUMED = (NotPausedError, FlowPauseTimeout, ObjectNotFound)
"""Raised if another process resumed or ended the run first."""
FORM_SECONDS = 30.0
"""How long to try again if Prefect refuses an answer: it saves the form of a run after it has suspended the run."""
RETRY_SECONDS = 0.5


def decide(
    saved: SavedDiff,
    project: str,
    *,
    by: str,
    reason: str,
    is_approved: bool,
    checksum: str,
    exclude: tuple[Select, ...] = (),
) -> list[str]:
    """Approve or reject a diff, and resume the flow runs that wait for it.

    Args:
        saved: The diff.
        project: The project whose flow runs are resumed.
        by: Who decides.
        reason: Why.
        is_approved: True to approve, False to reject.
        checksum: The diff's checksum when it was reviewed.
        exclude: What the approval leaves out.

    Returns:
        The names of the flow runs.
    """
    runs = pending_runs(saved.record, project)
    if is_approved:
        saved.approve(by=by, reason=reason, checksum=checksum, exclude=exclude)
    else:
        saved.reject(by=by, reason=reason)
        end_scheduled(saved.record.diff_id, project, f"{by} rejected the diff: {reason}")
    resume(runs, is_approved=is_approved, by=by, comment=reason)
    return [run.name for run in runs]


def resume(runs: Iterable[FlowRun], *, is_approved: bool, by: str, comment: str) -> None:
    """Resume flow runs with a decision that is saved with their diff; skip those that another process has resumed or ended.

    Raises:
        UserError: Prefect refuses the answer to some of them.
    """
    answer = {"decision": "approve" if is_approved else "reject", "by": by, "comment": comment}
    failures = []
    for run in runs:
        retrying = Retrying(
            retry=retry_if_exception_type(RuntimeError),
            wait=wait_fixed(RETRY_SECONDS),
            stop=stop_after_delay(FORM_SECONDS),
            reraise=True,
        )
        try:
            retrying(resume_flow_run, run.id, run_input=answer)
        except RuntimeError as error:
            failures.append(f"{run.name}: {error}")
        except ALREADY_RESUMED:
            continue
    if failures:
        raise UserError(
            f"The decision is recorded, but Prefect did not resume {'; '.join(failures)}. Run: diffsync-flows resume"
        )


def resume_decided(context: SyncContext) -> list[str]:
    """Resume the project's flow runs whose diffs were approved or rejected since they asked; return a line for each.

    An approval of other operations than the diff now has, without what the run allows, or from before the rehearsal of the run, does
    not count: its run keeps waiting.
    """
    settle_all(context.project.declared.project)
    lines = []
    for run, answer in list(_decided(context)):
        try:
            resume_flow_run(run.id, run_input=answer)
            lines.append(f"Resumed: {run.name}")
        except RuntimeError as error:
            lines.append(f"Not resumed: {run.name}: {error}")
        except ALREADY_RESUMED:
            continue
    return lines


def _decided(context: SyncContext) -> Iterator[tuple[FlowRun, Answer]]:
    runs = [run for run in suspended_runs(context.project.declared.project) if "diff_id" in run.parameters]
    for run in runs:
        with suppress(DiffNotFound):
            if answer := _answer_to(run, context.diffs().open(str(run.parameters["diff_id"]))):
                yield run, answer


def _answer_to(run: FlowRun, saved: SavedDiff) -> Answer | None:
    """Return the run's form as it would look if the person had used it; None if nobody has decided since the run asked."""
    journal = saved.journal()
    request, decision = journal.approval_requests().get(str(run.id)), journal.approval()
    if decision is None:
        return None
    if decision.is_rejected:  # a retried run asks again, although its diff was rejected before
        is_answer = request is not None and decision.at != request.earlier_decision
    else:
        is_answer = is_covered(run, saved)
        if not has_all_approvals(
            decision, saved.record
        ):  # the run has been resumed with this one, and asks for another
            is_answer = is_answer and request is not None and decision.at != request.earlier_decision
    answer = {
        "decision": "reject" if decision.is_rejected else "approve",
        "by": decision.by,
        "comment": decision.reason,
    }
    return answer if is_answer else None


def is_covered(run: FlowRun, saved: SavedDiff) -> bool:
    """Return whether the approval of a diff covers what a run of it applies, and what a rehearsal of that has found."""
    approval, asked = saved.journal().approval(), _request_of(run)
    if approval is None or uncovered_by(approval, asked) or undecided_refusal(saved, asked) is not None:
        return False
    return approval.checksum == saved.checksum()  # last: it reads the whole diff


def _request_of(run: FlowRun) -> SyncRequest:
    """Return what a run of a sync was started with."""
    given = run.parameters

    def chosen(name: str) -> tuple[Select, ...]:
        return tuple(Selection.model_validate(each).to_select() for each in given.get(name) or ())

    return SyncRequest(
        str(given["diff_id"]),
        allow=tuple(given.get("allow") or ()),
        select=chosen("select"),
        exclude=chosen("exclude"),
        retry_rejected=bool(given.get("retry_rejected")),
    )
