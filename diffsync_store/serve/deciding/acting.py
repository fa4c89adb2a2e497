"""Decide and start for the person who makes a request: limits, the library, the log."""

from starlette.requests import Request

from diffsync_store.journal import Approval
from diffsync_store.project import EXPECTED_ERRORS
from diffsync_store.serve.api.models import DecisionBody
from diffsync_store.serve.deciding.decision import Decision, record_decision
from diffsync_store.serve.running import RunStatus, Start
from diffsync_store.serve.security.rate_limit import require_attempt
from diffsync_store.serve.services import Services


def decision_of(body: DecisionBody) -> Decision:
    """Return the decision of a form or a request."""
    return Decision(
        body.decision,
        body.checksum,
        body.comment,
        tuple(body.exclude),
        tuple(body.allow),
        body.exclude_refused,
        body.rehearsed_at,
    )


def act_on_decision(
    request: Request, services: Services, diff_id: str, decision: Decision
) -> tuple[Approval, list[RunStatus], str]:
    """Record a decision, and start or resume what waits for it.

    Returns:
        The decision, the runs, and why no run was started although the decision is recorded.

    Raises:
        HTTPException: the person decides too often.
        Exception: the decision was refused.
    """
    user, audit = request.user, services.protection.audit
    require_attempt(services.protection.decisions, request, user.identity)
    facts = {"diff_id": diff_id, "decision": decision.decision, "comment": decision.comment}
    if decision.allow:
        facts["allow"] = ", ".join(decision.allow)
    try:
        approval = record_decision(services.context, services.context.diffs().open(diff_id), decision, user.name)
    except EXPECTED_ERRORS as error:
        audit.record(request, "decision", outcome="refused", reason=_safe(services, error), **facts)
        raise
    audit.record(request, "decision", checksum=decision.checksum, **facts)
    try:
        is_approved = decision.decision == "approve"
        runs = services.runner.resume(diff_id, is_approved=is_approved, by=user.name, comment=approval.reason)
    except EXPECTED_ERRORS as error:
        return approval, [], _safe(services, error)
    return approval, runs, ""


def act_on_start(request: Request, services: Services, start: Start) -> RunStatus:
    """Start a run.

    Raises:
        HTTPException: the person starts too many.
        Exception: it cannot start.
    """
    user, audit = request.user, services.protection.audit
    require_attempt(services.protection.decisions, request, user.identity)
    facts = {"kind": start.kind, "sync": start.sync_name, "diff_id": start.diff_id}
    if start.outside_window:
        facts["outside_window"] = start.outside_window
    try:
        run = services.runner.start(start, by=user.name)
    except EXPECTED_ERRORS as error:
        audit.record(request, "start", outcome="refused", reason=_safe(services, error), **facts)
        raise
    audit.record(request, "start", run_id=run.run_id, **facts)
    return run


def _safe(services: Services, error: Exception) -> str:
    text: str = services.context.project.secrets.redact(str(error))
    return text
