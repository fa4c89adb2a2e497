"""What starts and resumes runs."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

Kind = Literal["apply", "dry-run", "retry-rejected", "plan", "undo"]
"""`plan` loads both sides of a sync and saves their diff."""
RunState = Literal["waiting", "running", "done", "failed", "stopped"]


@dataclass(frozen=True)
class Start:
    """What to start."""

    kind: Kind
    sync_name: str
    diff_id: str = ""
    """Which diff; of a `plan`, the id that the new diff gets."""
    select: tuple[str, ...] = ()
    """Only these operations, as for `runs.parse_operations`; all that are approved if empty."""
    outside_window: str = ""
    """Why the diff is applied although no window of its sync is open."""
    waits_for_window: bool = False
    """Whether the run waits if no window is open; otherwise it is refused."""


@dataclass(frozen=True)
class RunStatus:
    """How far a run is. Threads may share it."""

    run_id: str
    kind: Kind
    sync_name: str
    diff_id: str
    by: str
    state: RunState = "waiting"
    done: int = 0
    total: int = 0
    message: str = ""
    """How it ended, or what it waits for, without secrets."""
    counts: dict[str, int] = field(default_factory=dict)
    """Number of operations by outcome."""
    link: str = ""
    """Where a scheduler shows it, or the diff that it has made."""
    waits_until: datetime | None = None
    """When the window opens that it waits for."""
    started: datetime | None = None
    ended: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """Whether it will not change any more."""
        return self.state in {"done", "failed", "stopped"}


class Runner(Protocol):
    """Starts and resumes runs. Threads share it."""

    def resume(self, diff_id: str, *, is_approved: bool, by: str, comment: str) -> list[RunStatus]:
        """Continue what waits for the decision about a diff, which is recorded already; return the runs.

        Without a scheduler nothing waits: an approved diff is applied.
        """

    def start(self, start: Start, *, by: str) -> RunStatus:
        """Start a run.

        Raises:
            UserError: it cannot start; the message has the remedy.
        """

    def runs(self) -> list[RunStatus]:
        """Return the runs that were started here, the newest first."""

    def close(self) -> None:
        """Stop the runs of this process after their running calls; each can be continued."""
