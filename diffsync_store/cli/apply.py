"""`diffsync-store apply`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from diffsync_store.cli.agents import apply_together
from diffsync_store.cli.app import EXIT_DIFFERENCES, echo, echo_error, project_command
from diffsync_store.cli.applying import Applying, person
from diffsync_store.cli.asking import confirm
from diffsync_store.cli.catalog import known_diffs
from diffsync_store.cli.connection import Context, is_embedded, open_context
from diffsync_store.cli.documents import print_plan, print_result
from diffsync_store.cli.formatting import close_output, console, while_read
from diffsync_store.cli.notifying import notified_failure, notify_approval, notify_end, notify_refusal
from diffsync_store.cli.plan import DEFAULT_SHOWN, Allow, Excluded, Selected, Shown
from diffsync_store.cli.plan_view import show_plan, shown_note, totals
from diffsync_store.cli.planning import compare, drop
from diffsync_store.cli.progress import progress_bars
from diffsync_store.cli.rehearsal_view import show_rehearsal
from diffsync_store.cli.rehearsing import ask_to_leave_out, rehearse_before_apply
from diffsync_store.cli.result_view import next_steps, show_result, show_steps, status_of
from diffsync_store.cli.suggestions import suggestion
from diffsync_store.cli.window_wait import wait_for_window as wait_until_open
from diffsync_store.exceptions import DiffNotFound, DiffUnreadable, StoreNotFound
from diffsync_store.project import MAX_AGENTS, UserError
from diffsync_store.result import SyncResult
from diffsync_store.runs import (
    OpenWindow,
    Plan,
    RehearsalReport,
    SyncRequest,
    drop_stores,
    make_plan,
    may_ask,
    new_id,
    parse_selection,
    refusal_text,
)
from diffsync_store.runs import rehearse as run_rehearsal
from diffsync_store.selection import Select


@project_command
def apply(
    name: Annotated[
        str, typer.Argument(metavar="SYNC|DIFF_ID", help="A sync of the YAML file, or a saved diff (`plan --out`).")
    ],
    *,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help="Do not ask; apply what the plan shows. With `rules`, what they review waits."
        ),
    ] = False,
    select: Selected = None,
    exclude: Excluded = None,
    allow: Allow = None,
    retry_rejected: Annotated[
        bool, typer.Option("--retry-rejected", help="Only operations that failed, were blocked or in conflict before.")
    ] = False,
    outside_window: Annotated[
        str,
        typer.Option(
            metavar="REASON", help="Apply it also if no window of the sync is open. The journal keeps the reason."
        ),
    ] = "",
    skip_canary: Annotated[
        str,
        typer.Option(
            metavar="REASON",
            help="Apply everything at once, without the canary of the sync. The journal keeps the reason.",
        ),
    ] = "",
    wait_for_window: Annotated[
        bool,
        typer.Option(
            "--wait-for-window",
            help="Outside of the windows of the sync, wait after the question until one opens. If it closes before all is applied, wait "
            "for the next one.",
        ),
    ] = False,
    rehearse: Annotated[
        bool,
        typer.Option(
            "--rehearse", help="Rehearse it first, and apply nothing if the target would refuse an operation."
        ),
    ] = False,
    by: Annotated[
        str, typer.Option(help="Who applies, and approves if the file requires it. Default: USER@HOST.")
    ] = "",
    limit: Shown = DEFAULT_SHOWN,
    agents: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_AGENTS,
            metavar="N",
            show_default=False,
            help="Number of processes that apply the diff together. Default: `agents` of the sync in the file.",
        ),
    ] = None,
    wait: Annotated[
        int, typer.Option(min=0, metavar="SECONDS", help="How long to wait for another sync of the target.")
    ] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
    file: Path | None = None,
) -> None:
    """Plan a sync, ask, and apply the plan; or apply a saved diff, also one whose sync was interrupted.

    Outside of the windows of a sync, it shows and keeps the plan, and exits with 3; with --wait-for-window, it waits.

    Operations that were applied before are not repeated. Ctrl-C stops after the calls that are running. Several commands that apply
    the same DIFF_ID share the work.
    """
    if not yes and not sys.stdin.isatty():
        echo_error("Nobody can answer, because the input is not a terminal. Add --yes to apply without a question.")
        raise typer.Exit(2)
    with open_context(file) as context:
        is_sync = name in context.project.syncs
        request = SyncRequest(
            new_id(name) if is_sync else name,
            name if is_sync else "",
            tuple(allow or ()),
            tuple(map(parse_selection, select or ())),
            tuple(map(parse_selection, exclude or ())),
            retry_rejected,
            outside_window,
            skip_canary,
        )
        plan = _plan(context, request)
        window = OpenWindow(plan.sync_name, plan.declared, request)
        if not wait_for_window:
            _require_open_window(context, plan, window, limit, as_json=as_json)
        result = None
        with _dropped_unless_accepted(context, plan, request):
            if as_json:
                echo_error(totals(plan.result))
            else:
                _show(plan, limit)
            if plan.has_changes and not plan.refusal:
                if rehearse:
                    _rehearse(context, replace(request, sync_name=""), is_quiet=as_json)
                report = rehearse_before_apply(context, plan, request, wait=wait, is_quiet=as_json)
                result = _ask_or_stop(plan, request, report, is_yes=yes, by=by or person())
        if result is not None:
            notify_end(context, plan, request, result)
            _end(plan, result, as_json=as_json)
        if plan.refusal:
            notify_refusal(context, plan)
            _end(plan, None, as_json=as_json)
        if plan.has_changes:
            apply_once = partial(_apply, context, request, plan, by=by or person(), wait=wait, agents=agents)
            result = _apply_in_windows(context, plan, window, apply_once, goes_on=wait_for_window)
            notify_end(context, plan, request, result)
        if is_sync or is_embedded(context.project):
            _tidy(context, plan, result)
        _end(plan, result or plan.result, as_json=as_json)


def _require_open_window(context: Context, plan: Plan, window: OpenWindow, limit: int, *, as_json: bool) -> None:
    """Show and keep a plan that cannot be applied now.

    Raises:
        typer.Exit: no window of the sync is open.
    """
    refusal = window.refusal
    if plan.refusal or not (plan.has_changes and refusal):
        return
    with while_read():
        if as_json:
            print_plan(plan, plan.saved.record.diff_id, with_changes=False)
        else:
            _show(plan, limit)
    echo_error(refusal)
    notify_approval(context, plan)
    raise typer.Exit(EXIT_DIFFERENCES)


def _rehearse(context: Context, request: SyncRequest, *, is_quiet: bool) -> None:
    """Rehearse the diff.

    Raises:
        UserError: the target would refuse some of it.
    """
    found = run_rehearsal(context, request)
    if not is_quiet:
        show_rehearsal(found)
    if found.result.rejects or found.result.stopped:
        first = next(iter(found.result.rejects), None)
        reason = f"{first.action} of {first.model} {first.unique_id}: {first.reason}" if first else found.result.stopped
        raise UserError(f"Nothing was applied, because of the rehearsal: {reason}")


def _ask_or_stop(
    plan: Plan, request: SyncRequest, report: RehearsalReport | None, *, is_yes: bool, by: str
) -> SyncResult | None:
    """Ask the person. Return the result instead if a rehearsal found what nobody is asked about.

    Raises:
        typer.Abort: the person refuses.
    """
    is_asked = may_ask(plan.declared, plan.saved.record)
    if report is not None and (is_yes or not is_asked):
        return SyncResult(stopped=refusal_text(report, asks=is_asked))
    _ask(plan, request, report, is_yes=is_yes, by=by)
    return None


def _apply_in_windows(
    context: Context, plan: Plan, window: OpenWindow, apply_once: Callable[[], SyncResult], *, goes_on: bool
) -> SyncResult:
    """Apply the diff when a window is open; if it closes before all is applied and `goes_on`, in the next one too."""
    diff_id, rest_waits = plan.saved.record.diff_id, ""
    while True:
        wait_until_open(context, window, diff_id, rest_waits)
        with notified_failure(context, plan.sync_name, diff_id):
            result = apply_once()
        if not (goes_on and result.window_closed and window.next_opening):
            return result
        rest_waits = window.rest_waits


def _apply(context: Context, request: SyncRequest, plan: Plan, *, by: str, wait: int, agents: int | None) -> SyncResult:
    """Apply the diff; with others, unless this command has made it and needs no others."""
    number = agents or plan.declared.agents
    if number == 1 and request.sync_name:
        return Applying(context, request, by, wait).run(must_approve=plan.needs_approval)
    return apply_together(context, request, by, wait, must_approve=plan.needs_approval, number=number)


def _plan(context: Context, request: SyncRequest) -> Plan:
    if request.sync_name:
        with progress_bars() as bars, notified_failure(context, request.sync_name, request.diff_id):
            return compare(context, request, bars)
    try:
        return make_plan(context, request)
    except StoreNotFound as error:
        error.add_note(f"The diff {request.diff_id} cannot be applied without it: make a new plan.")
        raise
    except DiffUnreadable:
        raise
    except DiffNotFound as error:
        diffs = known_diffs(connection=context.connection, namespace=context.project.namespace)
        hint = suggestion([request.diff_id], [*context.project.syncs, *diffs])
        syncs = ", ".join(context.project.syncs) or "none"
        raise UserError(f"No sync and no saved diff {request.diff_id!r}.{hint} Syncs: {syncs}.") from error


def _show(plan: Plan, limit: int) -> None:
    show_plan(console(), plan, limit)
    if note := shown_note(plan.saved.record.summary, limit):
        echo(note)


@contextmanager
def _dropped_unless_accepted(context: Context, plan: Plan, request: SyncRequest) -> Iterator[None]:
    """Show and ask in the body. If the person refuses, interrupts or closes the output, a plan that was made for this is dropped.

    Raises:
        typer.Exit: nothing is to be applied.
    """
    try:
        yield
        sys.stdout.flush()
    except (typer.Abort, KeyboardInterrupt, BrokenPipeError) as error:
        if request.sync_name:
            drop(context, plan)
        if isinstance(error, BrokenPipeError):
            close_output()
        echo_error("Nothing was applied.")
        raise typer.Exit(1) from None


def _ask(plan: Plan, request: SyncRequest, report: RehearsalReport | None, *, is_yes: bool, by: str) -> None:
    """Ask the person, and record the approval if the file or the report of a rehearsal requires one.

    Raises:
        typer.Abort: the person refuses.
    """
    must_approve = plan.needs_approval and not plan.is_approved and not (is_yes and plan.applies_unasked)
    must_approve = must_approve or report is not None
    checksum = plan.saved.checksum() if must_approve else ""
    earlier = plan.approval if must_approve else None
    if earlier is not None and plan.uncovered:
        echo_error(f"The approval by {earlier.by} does not cover {' and '.join(plan.uncovered)}.")
    refused: tuple[Select, ...] = ()
    if not is_yes:
        question = f"Approve and apply these changes as {by}?" if must_approve else "Apply these changes?"
        refused = ask_to_leave_out(plan.saved, report)
        confirm(question)
    if must_approve:
        reason = "apply --yes" if is_yes else "answered the question of apply"
        kept = () if earlier is None else earlier.excluded  # the plan leaves them out, so nobody has approved them now
        exclude = tuple(dict.fromkeys((*kept, *request.exclude, *refused)))
        plan.saved.approve(
            by=by, reason=reason, checksum=checksum, exclude=exclude, allow=request.allow, select=request.select
        )


def _tidy(context: Context, plan: Plan, result: SyncResult | None) -> None:
    """Drop what nobody needs any more; an applied diff stays for `history`."""
    if result is not None and result.is_complete:
        drop_stores(context, plan.source.store_id, plan.target.store_id)
    elif not plan.saved.record.operations:
        drop(context, plan)


def _end(plan: Plan, result: SyncResult | None, *, as_json: bool) -> NoReturn:
    """Print the result, and exit."""
    steps = [] if result is None else next_steps(plan, result)
    status = status_of(plan, result)
    with while_read():
        if as_json:
            print_result(plan, result, status, steps)
        elif result is plan.result:  # nothing was left to apply
            show_steps(console(), steps)
        elif result is not None:
            show_result(console(), plan, result, steps)
    raise typer.Exit(0 if status in {"applied", "waiting", "no changes"} else 1)
