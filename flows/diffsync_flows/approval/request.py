"""Suspend a sync until a person decides about its diff; no worker is busy meanwhile."""

from collections.abc import Iterator, Sequence
from itertools import count
from uuid import UUID

from prefect import get_run_logger, runtime
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.flow_runs import suspend_flow_run
from prefect.utilities.urls import url_for

from diffsync_flows.approval.form import INSTRUCTIONS, Decision, decision_form
from diffsync_flows.approval.superseding import PendingElsewhere, ensure_single_request
from diffsync_flows.prefect_api import PAGE
from diffsync_flows.reporting.artifacts import link_request, review
from diffsync_flows.reporting.escape import escape_markdown, one_line
from diffsync_flows.reporting.events import RECONCILE
from diffsync_flows.reporting.notifications import RunNotifications
from diffsync_flows.runtime.context import SyncContext
from diffsync_flows.runtime.states import Ending, Outcome
from diffsync_store import Select
from diffsync_store.diffs import SavedDiff
from diffsync_store.project import UserError
from diffsync_store.runs import (
    RehearsalReport,
    SyncRequest,
    allowances_for_all,
    count_matching,
    find_rehearsal,
    has_all_approvals,
    refused_operations,
    required_people,
    uncovered_by,
    undecided_refusal,
)

HOW_TO_DECIDE = (
    "Waiting for approval. Choose Resume in the menu of this run's page, or run: diffsync-flows approve %s --by NAME"
)
NO_REASON = "no reason given"


class Rejected(RuntimeError):
    """A person rejected the diff."""


def has_requested_approval() -> bool:
    """Return whether this flow run has asked before; then its answer counts, even if no approval is needed any more.

    Prefect does not count a resumed run as another one, so `run_count` cannot tell. A reconcile never asks.
    """
    if runtime.flow_run.flow_name == RECONCILE:
        return False
    with get_client(sync_client=True) as client:
        return bool(_answered_keys(client))


class ApprovalRequest:
    """The request of a flow run that a person approves a diff.

    The run is suspended: its process ends, and when it is resumed the flow starts again from the top, on any worker. An
    answer is about the operations that were shown: if the diff has others by then, the run asks again.

    Args:
        context: The project.
        request: What the run applies.
        sync_name: Name of the sync.
        is_answered: Whether an earlier process of the run has saved the answer. A decision since then counts.
    """

    def __init__(
        self, context: SyncContext, request: SyncRequest, sync_name: str, *, is_answered: bool = False
    ) -> None:
        self._context = context
        self._request = request
        self._sync_name = sync_name
        self._timeout = context.project.sync(sync_name).approval_timeout
        self._saved = context.diffs().open(request.diff_id)
        self._checksum = self._saved.checksum()
        self._is_answered = is_answered
        """Whether the answer that the run was resumed with is saved."""

    def answer(self) -> Ending | None:
        """Return None if the diff is approved, or how the run ends without applying it; suspend the run until somebody decides.

        If rules ask for several people, one that approves is enough to return: the caller applies what is covered, and asks again.
        """
        try:
            self._require()
        except PendingElsewhere as pending:
            return Ending(Outcome.ALREADY_PENDING, str(pending))
        except Rejected as rejection:
            return Ending(Outcome.REJECTED, str(rejection))
        return None

    def is_complete(self) -> bool:
        """Return whether as many people have approved the diff as its rules ask for."""
        return has_all_approvals(self._saved.journal().approval(), self._saved.record)

    def _require(self) -> None:
        """Return if the diff is approved, by this run's form or before it; otherwise suspend the run.

        Raises:
            Rejected: A person rejected the diff.
            PendingElsewhere: An older run waits for the approval of the same changes.
        """
        journal = self._saved.journal()
        approval = journal.approval()
        is_current = approval is not None and not approval.is_rejected and approval.checksum == self._checksum
        if self._is_answered and approval is not None and approval.is_rejected:
            raise Rejected(f"{one_line(approval.by)} rejected the diff: {one_line(approval.reason or NO_REASON)}")
        request = self._request
        is_enough = is_current and has_all_approvals(approval, self._saved.record)
        if is_enough and not uncovered_by(approval, request) and undecided_refusal(self._saved, request) is None:
            journal.withdraw_request(runtime.flow_run.id)
            self._is_answered = True
            return
        decision, excluded = self._await_decision()
        journal.withdraw_request(runtime.flow_run.id)
        kept = approval.excluded if approval is not None and is_current else ()
        _save(self._saved, decision, self._checksum, request, (*kept, *excluded))

    def _await_decision(self) -> tuple[Decision, tuple[Select, ...]]:
        """Return what a person decided, and what that leaves out; suspend the flow run until then."""
        log, complaint = get_run_logger(), ""
        rehearsal = find_rehearsal(self._saved, self._request)
        form = decision_form(self._saved.record, rehearsal)
        for key, is_answered in _keys(f"approval-{self._checksum[:16]}"):
            if is_answered and self._is_answered:
                continue
            if not is_answered:
                self._announce(rehearsal)
                description = complaint + self._people() + INSTRUCTIONS + self._review(rehearsal)
                form = form.with_initial_data(description=description)
            decision = suspend_flow_run(wait_for_input=form, timeout=self._timeout, key=key)
            try:
                excluded = self._excluded(decision)
            except UserError as error:
                log.warning("The decision was not accepted: %s Asking again.", error)
                self._is_answered = True
                complaint = f"**Your decision was not accepted.** {escape_markdown(error)}\n\n"
            else:
                self._is_answered = True
                return decision, excluded
        raise AssertionError("there is always another key")

    def _excluded(self, decision: Decision) -> tuple[Select, ...]:
        """Return what a decision leaves out.

        Raises:
            UserError: A part of it matches nothing, or the diff was rehearsed again since the form was made.
        """
        count_matching(self._saved, decision.excluded)
        if not decision.excludes_refused:
            return decision.excluded
        shown = shown_rehearsal(self._saved, self._request, str(runtime.flow_run.id))
        return (*decision.excluded, *refused_operations(self._saved, shown))

    def _review(self, rehearsal: RehearsalReport | None) -> str:
        allow_all: tuple[str, ...] = ()
        if self._saved.record.suppressions:
            allow_all = allowances_for_all(self._context, self._saved, self._request.allow)
        return review(self._saved, self._shown_parameters(), allow_all=allow_all, rehearsal=rehearsal)

    def _people(self) -> str:
        """Return how many people must approve, and who has, if rules ask for several."""
        number = required_people(self._saved.record)
        approval = self._saved.journal().approval()
        if number == 1:
            return ""
        given = [] if approval is None or approval.is_rejected else [approval, *approval.earlier]
        names = ", ".join(escape_markdown(one.by) for one in given if one.checksum == self._checksum)
        return f"**{number} different people must approve.** {f'Approved by: {names}.' if names else ''}\n\n"

    def _shown_parameters(self) -> dict[str, Sequence[object]]:
        reasons = {"outside_window": self._request.outside_window, "skip_canary": self._request.skip_canary}
        return {**self._request.overrides, **{name: (reason,) for name, reason in reasons.items() if reason}}

    def _announce(self, rehearsal: RehearsalReport | None) -> None:
        """Record the request with the diff, unless an older run asks about the same changes."""
        if self._request.is_whole_diff:
            ensure_single_request(self._context, self._saved, self._sync_name)
        journal = self._saved.journal()
        previous = journal.approval()
        journal.request_approval(
            runtime.flow_run.id,
            by=f"flow run {runtime.flow_run.name}",
            link=url_for("flow-run", runtime.flow_run.id) or "",
            seconds=self._timeout,
            earlier_decision=previous.at if previous is not None else None,
            rehearsed_at=rehearsal.at if rehearsal is not None else None,
        )
        link_request(self._saved.record.diff_id, UUID(runtime.flow_run.id))
        RunNotifications(self._context).approval(self._saved, self._sync_name, self._request)
        get_run_logger().info(HOW_TO_DECIDE, self._saved.record.diff_id)


def shown_rehearsal(saved: SavedDiff, request: SyncRequest, run_id: str) -> RehearsalReport | None:
    """Return the rehearsal that the form of a run shows, which an earlier process of the run has made; None if there is another since."""
    report, asked = find_rehearsal(saved, request), saved.journal().approval_requests().get(run_id)
    shown = None if asked is None else asked.rehearsed_at
    return report if report is not None and shown in {None, report.at} else None


def _save(
    saved: SavedDiff, decision: Decision, checksum: str, request: SyncRequest, exclude: tuple[Select, ...]
) -> None:
    """Save a decision with the diff.

    Args:
        saved: The diff.
        decision: What the person decided.
        checksum: That of the diff that was shown.
        request: What was shown of it.
        exclude: What the approval leaves out.

    Raises:
        Rejected: The decision is to reject the diff.
    """
    by = decision.by or "somebody in Prefect's UI"
    name, reason = one_line(by), one_line(decision.comment or NO_REASON)
    if decision.decision == "approve":
        saved.approve(
            by=by,
            reason=decision.comment,
            checksum=checksum,
            exclude=tuple(dict.fromkeys(exclude)),
            allow=request.allow,
            select=request.select,
        )
        get_run_logger().info("%s approved the diff: %s", name, reason)
        return
    saved.reject(by=by, reason=decision.comment)
    raise Rejected(f"{name} rejected the diff: {reason}")


def _keys(base: str) -> Iterator[tuple[str, bool]]:
    """Yield the key of the last answer of this flow run, if there is one, and then new keys; skip those of an earlier attempt.

    Answers before the last one were saved before the run asked again.

    Prefect keeps the form of a question, but when an ended run is retried it forgets that the question was asked.
    """
    with get_client(sync_client=True) as client:
        answered = _answered_keys(client)
        inputs = client.filter_flow_run_input(runtime.flow_run.id, f"suspended-{base}", limit=PAGE, exclude_keys=set())
    used = {found.key for found in inputs}
    mine = [
        key for key in (f"{base}-{number}" for number in range(1, len(answered) + len(used) + 2)) if key in answered
    ]
    yield from ((key, True) for key in mine[-1:])
    for number in count(1):
        key = f"{base}-{number}"
        if key not in answered and f"suspended-{key}-schema" not in used:
            yield key, False


def _answered_keys(client: SyncPrefectClient) -> set[str]:
    """Return the keys under which the flow run has asked in this attempt."""
    return client.read_flow_run(runtime.flow_run.id).empirical_policy.pause_keys or set()
