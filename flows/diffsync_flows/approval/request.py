"""Asking a person before a diff is applied, without holding a worker meanwhile; who, when and why is kept with the diff."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from glob import escape
from itertools import count
from typing import Any, Literal

from prefect import get_run_logger, runtime
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import NotPausedError
from prefect.flow_runs import resume_flow_run, suspend_flow_run
from prefect.input import RunInput
from prefect.utilities.urls import url_for
from pydantic import Field, create_model

from diffsync_flows.approval.pending import pending_runs
from diffsync_flows.config.schema import PrefectSyncEntry
from diffsync_flows.reporting.artifacts import ACTIONS, review
from diffsync_flows.reporting.escape import escape_markdown, one_line
from diffsync_flows.runtime.errors import UserError
from diffsync_flows.runtime.filters import count_matching
from diffsync_flows.runtime.prefect_client import PAGE
from diffsync_store import Select
from diffsync_store.diffs import DiffRecord, SavedDiff

INSTRUCTIONS = "**Decide at the end of this form.** Resumed as it is, the diff is rejected.\n\n"
HOW_TO_DECIDE = (
    "To decide: Resume, in the menu with the three dots, or in a terminal: diffsync-flows approve %s --by NAME"
)
NO_REASON = "no reason given"


class Decision(RunInput):
    """May this diff be applied?"""

    decision: Literal["reject", "approve"] = Field(
        "reject", description="Approve: the diff is applied as it was saved. Reject: it is not, and stays refused"
    )
    by: str = Field("", description="Who decides; kept with the diff")
    comment: str = Field("", description="Why, or the number of a change; kept with the diff")
    leave_out_actions: list[Literal["create", "update", "delete"]] = Field(
        [], description="Approve all but these; they are suppressed until somebody approves them too"
    )
    leave_out_models: list[str] = Field([], description="Approve all but the operations of these models")

    @property
    def excluded(self) -> tuple[Select, ...]:
        """What is left out."""
        actions = [Select(action=action) for action in self.leave_out_actions]
        return (*actions, *(Select(model=escape(model)) for model in self.leave_out_models))


class Rejected(RuntimeError):
    """Somebody has decided that the diff is not applied."""


def require_approval(
    saved: SavedDiff, sync: PrefectSyncEntry, asked: Mapping[str, Sequence[object]], before_asking: Callable[[], None]
) -> None:
    """Wait until somebody has approved the diff, as a terminal or a run before this one may have done already.

    Where nobody has, the flow run is suspended: its process ends, and the flow begins anew, on any worker, when it is
    resumed. A decision is on the elements that were shown: where the diff has others by then, it is asked for again.

    Args:
        saved: the diff.
        sync: what is declared of it.
        asked: what the run was started with, for the one who decides.
        before_asking: called where somebody is to be asked; what it raises is raised.

    Raises:
        Rejected: somebody has rejected it.
    """
    approval, checksum = saved.journal().approval(), saved.checksum()
    if approval is not None and not approval.is_rejected and approval.checksum == checksum:
        saved.journal().answered(runtime.flow_run.id)
        return
    decided = approval.at if approval is not None else None

    def ask_first() -> None:
        before_asking()
        by = f"flow run {runtime.flow_run.name}"
        saved.journal().ask(
            runtime.flow_run.id, by=by, link=_own_page(), seconds=sync.approval_timeout, decided=decided
        )

    given, log = _await_decision(saved, sync, asked, checksum, ask_first), get_run_logger()
    saved.journal().answered(runtime.flow_run.id)
    by = given.by or "somebody in Prefect's UI"
    told, why = one_line(by), one_line(given.comment or NO_REASON)
    if given.decision == "approve":
        saved.approve(by=by, reason=given.comment, checksum=checksum, exclude=given.excluded)
        log.info("%s has approved the diff: %s", told, why)
        return
    saved.reject(by=by, reason=given.comment)
    raise Rejected(f"{told} has rejected the diff: {why}")


def _own_page() -> str:
    """Address of the page of the running flow run."""
    return url_for("flow-run", runtime.flow_run.id) or ""


def has_requested_approval() -> bool:
    """Whether the flow run has asked somebody; then the answer counts, whatever is declared by now.

    Prefect does not count a run that is resumed as one more: its `run_count` says nothing of that.
    """
    with get_client(sync_client=True) as client:
        return bool(_requested_keys(client))


def _requested_keys(client: SyncPrefectClient) -> set[str]:
    """The keys under which the flow run has asked."""
    return client.read_flow_run(runtime.flow_run.id).empirical_policy.pause_keys or set()


def _await_decision(
    saved: SavedDiff,
    sync: PrefectSyncEntry,
    asked: Mapping[str, Sequence[object]],
    checksum: str,
    before_asking: Callable[[], None],
) -> Decision:
    """What somebody has decided; while nobody has, the flow run is suspended, and this does not return."""
    log, form, again = get_run_logger(), form_of(saved.record), ""
    for key, is_answered in _keys(f"approval-{checksum[:16]}"):
        if not is_answered:
            before_asking()
            log.info(HOW_TO_DECIDE, saved.record.diff_id)
            form = form.with_initial_data(description=again + INSTRUCTIONS + review(saved, asked))
        given = suspend_flow_run(wait_for_input=form, timeout=sync.approval_timeout, key=key)
        try:
            count_matching(saved, given.excluded)
        except UserError as fault:
            log.warning("What was decided is not taken: %s It is asked for again.", fault)
            again = f"**Asked for again.** {escape_markdown(fault)}\n\n"
        else:
            return given
    raise AssertionError("there is always another key")


def form_of(record: DiffRecord) -> type[Decision]:
    """The question, with what the diff has as the only choices: what it has not cannot be left out of it."""
    choices = {
        "leave_out_actions": tuple(filter(record.summary.get, ACTIONS)),
        "leave_out_models": tuple(record.by_model),
    }
    fields: dict[str, Any] = {
        name: (list[Literal[names]], Decision.model_fields[name])  # type: ignore[valid-type]  # known when it runs only
        for name, names in choices.items()
        if names
    }
    made: type[Decision] = create_model(Decision.__name__, __base__=Decision, **fields)
    return made


def _keys(base: str) -> Iterator[tuple[str, bool]]:
    """Keys under which this flow run asks, and whether that was answered; without those of before it was tried again.

    Prefect keeps the form of a question for good, but forgets that it was asked when a run that has ended is tried again.
    """
    with get_client(sync_client=True) as client:
        answered = _requested_keys(client)
        inputs = client.filter_flow_run_input(runtime.flow_run.id, f"suspended-{base}", limit=PAGE, exclude_keys=set())
    used = {found.key for found in inputs}
    for number in count(1):
        key = f"{base}-{number}"
        if key in answered or f"suspended-{key}-schema" not in used:
            yield key, key in answered


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
    """Approve or reject a diff, and resume the flow runs that wait for it; their names.

    Args:
        saved: the diff.
        project: whose flow runs are resumed.
        by: who decides.
        reason: why.
        is_approved: or rejected.
        checksum: what the diff had when it was looked at.
        exclude: what is left out.
    """
    runs = pending_runs(saved.record, project)
    if is_approved:
        saved.approve(by=by, reason=reason, checksum=checksum, exclude=exclude)
    else:
        saved.reject(by=by, reason=reason)
    answer = {"decision": "approve" if is_approved else "reject", "by": by, "comment": reason}
    for run in runs:
        with suppress(NotPausedError):  # `resume --every` was faster
            resume_flow_run(run.id, run_input=answer)
    return [run.name for run in runs]
