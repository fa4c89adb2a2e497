"""Make the answers of the API from diffs, journals and runs. Nothing here shows a secret value."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from typing import Any

from diffsync_store.diffs import SavedDiff
from diffsync_store.journal import PENDING, Application, Approval, ApprovalRequest, Entry
from diffsync_store.operation import Operation, OperationFilter
from diffsync_store.project import SyncContext
from diffsync_store.result import CanaryReport
from diffsync_store.rules import Ruling
from diffsync_store.runs import Waiting, find_suppressed, needs_approval, required_people
from diffsync_store.serve.api.models import (
    ApplicationView,
    ApprovalView,
    CanaryView,
    Change,
    DiffDetail,
    DiffView,
    OperationList,
    OperationQuery,
    OperationView,
    RefusedView,
    RehearsalView,
    ResultView,
    RuledView,
    RunView,
    SuppressedView,
    SyncView,
    UnsettledView,
    WaitingDiff,
    WaitingView,
    WindowOverrideView,
)
from diffsync_store.serve.running import RunStatus
from diffsync_store.store.redis import target_lease

_REFUSED = 50
"""Refused operations of a rehearsal that are shown."""


def sync_view(context: SyncContext[Any], name: str) -> SyncView:
    """Return a declared sync."""
    declared = context.project.sync(name)
    holder = context.leases().holder(target_lease(declared.target))
    pair = (declared.source, declared.target)
    newest = next((r.diff_id for r in context.diffs().list() if (r.source_name, r.target_name) == pair), None)
    return SyncView(
        name=name,
        source=declared.source,
        target=declared.target,
        description=declared.description,
        approval=declared.approval,
        lease=str(holder) if holder else "",
        newest_diff=newest,
    )


def diff_view(context: SyncContext[Any], saved: SavedDiff) -> DiffView:
    """Return a diff without its checksum, which needs all its elements."""
    return DiffView(**_facts(context, saved, checksum=None))


def diff_detail(context: SyncContext[Any], saved: SavedDiff, checksum: str) -> DiffDetail:
    """Return a diff with its checksum and what guards suppress of it."""
    facts = _facts(context, saved, checksum)
    found = find_suppressed(context, saved) if facts["application"] is None else ()
    views = [SuppressedView(allowance=each.allowance, reasons=list(each.reasons)) for each in found]
    return DiffDetail(**facts, checksum=checksum, suppressed=views, rehearsal=_rehearsal_view(saved))


def _rehearsal_view(saved: SavedDiff) -> RehearsalView | None:
    journal = saved.journal()
    if (report := journal.rehearsal()) is None:
        return None
    return RehearsalView(
        at=report.at,
        accepted=report.accepted,
        refused=report.refused,
        operations=[RefusedView(**each.model_dump()) for each in report.operations[:_REFUSED]],
        stopped=report.stopped,
        is_decided=report.is_clean or report.is_answered_by(journal.approval()),
    )


def _facts(context: SyncContext[Any], saved: SavedDiff, checksum: str | None) -> dict[str, Any]:
    record, journal = saved.record, saved.journal()
    name, declared = context.project.sync_between(record.source_name, record.target_name)
    approval, application, override = journal.approval(), journal.application(), journal.window_override()
    return {
        "diff_id": record.diff_id,
        "sync": name,
        "source": record.source_name,
        "target": record.target_name,
        "created": record.created,
        "operations": record.operations,
        "summary": record.summary,
        "by_model": record.by_model,
        "needs_approval": needs_approval(declared, record),
        "approvers": required_people(record),
        "rulings": [RuledView(**each.model_dump()) for each in record.rulings],
        "approval": approval and approval_view(approval, checksum),
        "application": application and _application_view(application),
        "window_override": override and WindowOverrideView(**override.model_dump()),
        "canary": _canary_view(saved.canary()),
        "waiting": _waiting_views(journal.approval_requests().values()),
    }


def _canary_view(report: CanaryReport | None) -> CanaryView | None:
    if report is None:
        return None
    unsettled = [UnsettledView(**asdict(one)) for one in report.unsettled]
    counts = {name: getattr(report, name) for name in ("operations", "applied", "not_applied", "not_settled")}
    return CanaryView(state=report.state, text=report.text, reason=report.reason, unsettled=unsettled, **counts)


def waiting_diff(waiting: Waiting, people: list[str]) -> WaitingDiff:
    """Return a diff that waits for these people."""
    record = waiting.record
    return WaitingDiff(
        diff_id=record.diff_id,
        sync=waiting.sync,
        reason=waiting.reason,
        role=waiting.role,
        people=people,
        since=record.created,
        until=waiting.until,
        summary=record.summary,
        newer=waiting.newer,
        window=waiting.window,
        runs=_waiting_views(waiting.requests),
    )


def _waiting_views(requests: Iterable[ApprovalRequest]) -> list[WaitingView]:
    return [WaitingView(by=each.by, link=each.link, until=each.until) for each in requests]


def approval_view(approval: Approval, checksum: str | None) -> ApprovalView:
    """Return a decision; `checksum` is that of the diff now, or None if it was not computed."""
    return ApprovalView(
        decision="reject" if approval.is_rejected else "approve",
        by=approval.by,
        at=approval.at,
        comment=approval.reason,
        others=[each.by for each in approval.earlier],
        excluded=list(map(str, approval.excluded)),
        allowed=list(approval.allowed),
        is_current=approval.is_rejected or checksum is None or approval.checksum == checksum,
    )


def _application_view(application: Application) -> ApplicationView:
    return ApplicationView(
        by=application.by, at=application.at, operations=application.operations, skipped=application.skipped
    )


def operation_list(saved: SavedDiff, query: OperationQuery) -> OperationList:
    """Return a page of operations. A filter by attribute or text reads each operation."""
    matching = OperationFilter(query.model, query.action, query.unique_id)
    start, stop = query.start, query.start + query.limit + 1
    if query.attribute or query.text or query.decision:
        every = saved.operations(matching=matching, state=query.states or None)
        found = list(
            islice((each for each in every if shows(each, query) and is_ruled(saved, each, query)), start, stop)
        )
    else:
        found = list(saved.operations(start, query.limit + 1, matching=matching, state=query.states or None))
    page = found[: query.limit]
    entries = saved.journal().read([each.id for each in page])
    return OperationList(
        operations=[_operation_view(each, entries.get(each.id, PENDING), ruling_of(saved, each)) for each in page],
        next_start=start + query.limit if len(found) > query.limit else None,
    )


def shows(operation: Operation, query: OperationQuery) -> bool:
    """Whether an operation changes the attribute and shows the text of a query; a secret value cannot be searched for."""
    if not query.attribute and not query.text:
        return True
    changes = operation.redacted_changes()
    if query.attribute and not any(query.attribute in values for values in changes.values()):
        return False
    if not query.text:
        return True
    shown = operation.redacted()
    texts = json.dumps([shown.unique_id, shown.name, shown.identifiers, changes], default=str, ensure_ascii=False)
    return query.text.casefold() in texts.casefold()


def ruling_of(saved: SavedDiff, operation: Operation) -> Ruling | None:
    """Return what the rules of the sync decide about an operation; None without rules."""
    record = saved.record
    if not record.operation_rules:
        return None
    return record.operation_rules.ruling(operation.element(record.source_name, record.target_name))


def is_ruled(saved: SavedDiff, operation: Operation, query: OperationQuery) -> bool:
    """Whether the rules decide about an operation what a query asks for."""
    ruling = ruling_of(saved, operation) if query.decision else None
    return not query.decision or (ruling is not None and ruling.decision.value == query.decision)


def _operation_view(operation: Operation, entry: Entry, ruling: Ruling | None) -> OperationView:
    shown = operation.redacted()
    return OperationView(
        id=operation.id,
        action=operation.action or "",
        model=operation.model,
        unique_id=shown.unique_id or shown.name,
        identifiers=shown.identifiers,
        parents=list(shown.parents),
        changes=list(_changes(operation)),
        state=entry.state.value,
        reason=entry.reason,
        decision=None if ruling is None else ruling.decision,
        rule="" if ruling is None else ruling.rule,
    )


def _changes(operation: Operation) -> Iterator[Change]:
    changes = operation.redacted_changes()
    old, new = changes.get("-", {}), changes.get("+", {})
    for name in dict.fromkeys((*old, *new)):
        yield Change(attribute=name, old=old.get(name), new=new.get(name))


def result_view(saved: SavedDiff) -> ResultView:
    """Return what became of a diff; reads its journal."""
    journal = saved.journal()
    states = Counter(entry.state.value for _, entry in saved.outcomes())
    application = journal.application()
    return ResultView(
        diff_id=saved.record.diff_id,
        operations=saved.record.operations,
        by_state=dict(states),
        is_running=journal.is_running(),
        application=_application_view(application) if application else None,
    )


def run_view(run: RunStatus) -> RunView:
    """Return a run."""
    facts = asdict(run)
    return RunView(sync=facts.pop("sync_name"), **facts)
