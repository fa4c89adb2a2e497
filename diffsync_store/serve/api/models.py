"""What the API takes and answers. `openapi.json` is made from these classes."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from diffsync_store.enum import OperationState
from diffsync_store.project import Role
from diffsync_store.rules import Decision
from diffsync_store.runs import MAX_CHOSEN
from diffsync_store.serve.deciding.decision import MAX_COMMENT
from diffsync_store.serve.running.runner import Kind, RunState, Start

MAX_PAGE = 1000
REJECTED = frozenset({OperationState.FAILED, OperationState.CONFLICT, OperationState.BLOCKED, OperationState.SENT})
"""States of operations that were tried and not done."""


class Answer(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Question(BaseModel):
    """A body or a query."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Me(Answer):
    """Who makes the request."""

    name: str
    source: str = Field(description="What says so: proxy, oidc, token, or local")
    roles: list[Role]
    csrf_token: str = Field(description="For the header X-CSRF-Token of a person's POST; empty for a token")


class SyncView(Answer):
    """A sync of the project file."""

    name: str
    source: str
    target: str
    description: str
    approval: Literal["never", "deletes", "always"]
    lease: str = Field(description="Who changes or locks the target now; empty if nobody does")
    newest_diff: str | None = Field(description="Id of the newest saved diff")


class SyncList(Answer):
    """All syncs."""

    syncs: list[SyncView]


class ApprovalView(Answer):
    """A decision of a person."""

    decision: Literal["approve", "reject"]
    by: str
    at: datetime
    comment: str
    others: list[str] = Field(description="Other people whose approval counts beside it, where a rule asks for several")
    excluded: list[str]
    allowed: list[str] = Field(description="What the guards suppress and the approval releases")
    is_current: bool = Field(description="Whether it is about the diff as it is now")


class ApplicationView(Answer):
    """Who has applied the whole diff."""

    by: str
    at: datetime
    operations: int
    skipped: int


class WindowOverrideView(Answer):
    """Why a sync has written although no window of it was open."""

    by: str = Field(description="Who has applied the diff then")
    at: datetime
    reason: str


class UnsettledView(Answer):
    """A value, or a whole object, that the target does not have as a canary has written it."""

    action: str
    model: str
    unique_id: str
    attribute: str = Field(description="Empty for a whole object")
    written: Any
    found: Any


class CanaryView(Answer):
    """What became of the operations that a sync has applied first."""

    state: str = Field(description="`open`, `passed`, `failed`, `skipped` or `none`")
    text: str
    reason: str
    operations: int
    applied: int
    not_applied: int
    not_settled: int
    unsettled: list[UnsettledView] = Field(description="The first objects that do not have what was written")


class WaitingView(Answer):
    """A run that waits for a decision."""

    by: str
    link: str
    until: datetime | None


class WaitingDiff(Answer):
    """A diff that waits for somebody."""

    diff_id: str
    sync: str
    reason: Literal["approval", "suppressed", "hold", "not applied", "not finished"] = Field(
        description="`approval`: nobody has decided. `suppressed`: guards suppress what is left. `hold`: a rule "
        "does, and a new diff may not. `not applied`: it is approved, or needs no "
        "approval. `not finished`: a sync has ended before its end, or has rejects"
    )
    role: Role = Field(description="The role that it waits for")
    people: list[str] = Field(description="Who has the role by the file: groups, `user:NAME`, or `*`")
    since: datetime = Field(description="When the diff was made")
    until: datetime | None = Field(description="When the first run stops to wait; null if none waits, or without end")
    summary: dict[str, int]
    newer: int = Field(description="Number of newer diffs of the sync")
    window: str = Field(description="When the next window of the sync opens, as a sentence; empty if one is open")
    runs: list[WaitingView]


class WaitingList(Answer):
    """What waits for whom, the newest diff first."""

    waiting: list[WaitingDiff]


class DiffView(Answer):
    """A saved diff, without its operations."""

    diff_id: str
    sync: str = Field(description="Empty if no sync of its adapters is declared")
    source: str
    target: str
    created: datetime
    operations: int
    summary: dict[str, int]
    by_model: dict[str, dict[str, int]]
    needs_approval: bool
    approvers: int = Field(description="Number of different people who must approve it")
    rulings: list["RuledView"] = Field(description="What the rules of the sync decide; empty without rules")
    approval: ApprovalView | None
    application: ApplicationView | None
    window_override: WindowOverrideView | None = Field(
        description="Why it was applied, at least in part, outside of the windows of its sync"
    )
    canary: CanaryView | None = Field(description="Null if no sync of the diff had a canary")
    waiting: list[WaitingView]


class SuppressedView(Answer):
    """Operations that guards suppress: a sync does not apply them, unless an approval allows it."""

    allowance: str = Field(description="Send it in `allow` of a decision to release them")
    reasons: list[str]


class RefusedView(Answer):
    """An operation that the target would refuse."""

    operation_id: str
    action: str
    model: str
    unique_id: str
    state: str
    reason: str


class RehearsalView(Answer):
    """What the target would refuse of a diff."""

    at: datetime
    accepted: int
    refused: int
    operations: list[RefusedView] = Field(description="The first 50 that it would refuse")
    stopped: str = Field(description="Why not all operations were rehearsed; empty if all were")
    is_decided: bool = Field(description="Whether somebody has approved the diff since, or nothing is refused")


class DiffDetail(DiffView):
    """A saved diff with its checksum, what guards suppress of it, and what a rehearsal found."""

    suppressed: list[SuppressedView]
    rehearsal: RehearsalView | None = Field(description="Null if the diff was not rehearsed before it is applied")

    checksum: str = Field(description="Send it with a decision: it says what was decided about")


class DiffList(Answer):
    """Saved diffs, the newest first."""

    diffs: list[DiffView]
    next_start: int | None = Field(description="`start` of the next page; null on the last one")


class Change(Answer):
    """An attribute that an operation changes."""

    attribute: str
    old: Any = None
    new: Any = None


class OperationView(Answer):
    """One create, update or delete. Secret values are `***`."""

    id: str
    action: str
    model: str
    unique_id: str
    identifiers: dict[str, Any]
    parents: list[tuple[str, str]]
    changes: list[Change]
    state: str
    reason: str
    decision: Decision | None = Field(description="What a rule of the sync decides; null without rules")
    rule: str = Field(description="The rule; empty if the sync's `approval` decides, or without rules")


class RuledView(Answer):
    """How many operations of one action on one model a rule decides."""

    rule: str = Field(description="Empty for the sync's `approval`")
    decision: Decision
    approvers: int
    model: str
    action: str
    count: int


class OperationList(Answer):
    """Operations in the order of a sync."""

    operations: list[OperationView]
    next_start: int | None = Field(description="`start` of the next page; null on the last one")


class ResultView(Answer):
    """What became of the operations of a diff."""

    diff_id: str
    operations: int
    by_state: dict[str, int] = Field(description="Number of operations by state, such as done, failed or pending")
    is_running: bool
    application: ApplicationView | None


class RunView(Answer):
    """A run that was started or resumed here."""

    run_id: str
    kind: Kind
    sync: str
    diff_id: str
    by: str
    state: RunState
    done: int
    total: int
    message: str
    counts: dict[str, int]
    link: str
    waits_until: datetime | None = Field(description="When the window opens that it waits for")
    started: datetime | None
    ended: datetime | None


class RunList(Answer):
    """Runs, the newest first."""

    runs: list[RunView]


class DecisionAnswer(Answer):
    """A recorded decision, and the runs that it starts or resumes."""

    approval: ApprovalView
    runs: list[RunView]
    problem: str = Field("", description="Why no run was started, although the decision is recorded")


class Problem(Answer):
    """An error (RFC 9457). `detail` has the remedy."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str


class DecisionBody(Question):
    """A decision about a diff."""

    decision: Literal["approve", "reject"]
    checksum: str = Field(pattern=r"^[0-9a-f]{64}$", description="`checksum` of the diff, as it was read")
    comment: str = Field("", max_length=MAX_COMMENT)
    exclude: list[str] = Field(
        [],
        max_length=MAX_CHOSEN,
        description='What the approval leaves out: ids of operations, `MODEL`, `MODEL:UNIQUE_ID` with wildcards, or `{"action": "delete"}`',
    )

    allow: list[str] = Field(
        [],
        max_length=100,
        description="What the guards suppress and the approval releases: `allowance` of an entry of `suppressed`",
    )
    exclude_refused: bool = Field(
        False, description="Whether the approval also leaves out all that the `rehearsal` found to be refused"
    )
    rehearsed_at: datetime | Literal[""] | None = Field(
        None,
        description="`at` of the `rehearsal` as it was read, empty if there was none. An approval is refused if the diff was rehearsed since",
    )


class DiffRunBody(Question):
    """What to do with a diff."""

    kind: Literal["apply", "dry-run", "retry-rejected", "undo"] = Field(
        description="`undo` loads the target and saves a diff that takes back what syncs of this one have done"
    )
    select: list[str] = Field(
        [],
        max_length=MAX_CHOSEN,
        description="Only these operations, of those that were approved; written as in `exclude` of a decision. All by default",
    )

    outside_window: str = Field(
        "", max_length=300, description="Why the diff is applied although no window of its sync is open"
    )
    wait_for_window: bool = Field(
        False, description="Wait for the next window if none is open. By default the run is refused then"
    )

    def start(self, diff_id: str) -> Start:
        """Return what to start for a diff."""
        reason = self.outside_window.strip()
        return Start(self.kind, "", diff_id, tuple(self.select), reason, self.wait_for_window)


class SyncRunBody(Question):
    """What to do with a sync."""

    kind: Literal["plan"] = Field(description="Load both sides and save their diff")


class NoQuery(Question):
    """No parameters."""


class DiffQuery(Question):
    """Which diffs."""

    sync: str = ""
    start: int = Field(0, ge=0)
    limit: int = Field(50, ge=1, le=MAX_PAGE)


class OperationQuery(Question):
    """Which operations."""

    model: str = ""
    action: Literal["", "create", "update", "delete"] = ""
    unique_id: str = Field("", description="Needs `model`")
    attribute: str = Field("", description="Name of an attribute that is changed")
    text: str = Field("", max_length=200, description="Part of an identifier or of a value, without case")
    state: Literal[
        "",
        "pending",
        "sent",
        "done",
        "failed",
        "conflict",
        "blocked",
        "suppressed",
        "waiting",
        "ignored",
        "rejected",
    ] = Field("", description="`rejected`: failed, conflict, blocked or sent")
    decision: Literal["", "apply", "review", "hold", "ignore"] = Field(
        "", description="What a rule of the sync decides"
    )
    start: int = Field(0, ge=0)
    limit: int = Field(100, ge=1, le=MAX_PAGE)

    @property
    def states(self) -> frozenset[OperationState]:
        """The states that fit; none if all do."""
        if self.state == "rejected":
            return REJECTED
        return frozenset({OperationState(self.state)} if self.state else ())
