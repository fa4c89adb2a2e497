"""What was decided elsewhere, as by `diffsync-store approve`: the flow runs that are suspended for it go on."""

from collections.abc import Iterator
from contextlib import suppress

from prefect.client.schemas import FlowRun
from prefect.exceptions import FlowPauseTimeout, NotPausedError, ObjectNotFound
from prefect.flow_runs import resume_flow_run

from diffsync_flows.approval.pending import suspended_runs
from diffsync_flows.config.config import Config
from diffsync_store import DiffNotFound
from diffsync_store.diffs import SavedDiff

Answer = dict[str, str]
GONE = (NotPausedError, FlowPauseTimeout, ObjectNotFound)
"""Somebody else was faster."""


def resume_decided(config: Config) -> list[str]:
    """Resume the project's flow runs whose diffs were approved or rejected since they asked; a line for each.

    An approval of other elements than the diff has now is none: its run waits on.
    """
    told = []
    for run, answer in list(_decided(config)):
        try:
            resume_flow_run(run.id, run_input=answer)
            told.append(f"Resumed: {run.name}")
        except RuntimeError as error:
            told.append(f"Not resumed: {run.name}: {error}")
        except GONE:
            continue
    return told


def _decided(config: Config) -> Iterator[tuple[FlowRun, Answer]]:
    runs = [run for run in suspended_runs(config.declared.project) if "diff_id" in run.parameters]
    if not runs:
        return
    with config.open_diffs() as diffs:
        for run in runs:
            with suppress(DiffNotFound):
                if answer := _answer_to(run, diffs.open(str(run.parameters["diff_id"]))):
                    yield run, answer


def _answer_to(run: FlowRun, saved: SavedDiff) -> Answer | None:
    """What the form of a run would have, if somebody had filled it in as the diff was decided."""
    journal = saved.journal()
    question, decision = journal.questions().get(str(run.id)), journal.approval()
    if decision is None:
        return None
    if decision.is_rejected:  # a run that is tried again asks although the diff was rejected before
        is_answer = question is not None and decision.at != question.decided
    else:
        is_answer = decision.checksum == saved.checksum()
    told = {"decision": "reject" if decision.is_rejected else "approve", "by": decision.by, "comment": decision.reason}
    return told if is_answer else None
