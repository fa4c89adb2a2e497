"""Several processes or threads that apply one saved diff together."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel

from diffsync_store.exceptions import InvalidOptions

LEASE_SECONDS = 15.0
"""Seconds without a sign of life after which another agent takes over the unit of an agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One of the processes or threads that apply a diff together.

    Threads may share it; each `apply` is an agent of its own.

    Raises:
        InvalidOptions: a value is out of range.
    """

    name: str = ""
    """Shown to people; host and process by default."""
    of: int = 4
    """About how many agents there are: the more, the smaller the units."""
    group: str = ""
    """The same text for all agents of one application: one that comes after the application has ended does not begin another one."""
    leads: bool = False
    """Whether a request to stop this agent (`SyncOptions.should_stop`) stops all of them."""
    lease: float = LEASE_SECONDS
    """Seconds without a sign of life after which another agent takes over its unit."""

    def __post_init__(self) -> None:
        """Check the values."""
        if self.of < 1:
            raise InvalidOptions(f"Agent.of must be at least 1, not {self.of}.")
        if not self.lease >= 0.1:
            raise InvalidOptions(f"Agent.lease must be at least 0.1 seconds, not {self.lease}.")


class Task(enum.Enum):
    """What is to do with the subtrees of a unit."""

    PLAN = "plan"
    """Divide the diff into units."""
    CANARY = "canary"
    """Apply and check the operations that come before all others."""
    CHANGES = "changes"
    """Everything but the deletes that come last."""
    DELETES = "deletes"
    """The deletes that come last."""
    CLOSE = "close"
    """Call `sync_complete` and conclude the journal."""


class Unit(BaseModel):
    """Subtrees of a diff that one agent applies."""

    task: Task
    ranges: tuple[tuple[int, int], ...] = ()
    """Of elements of the saved diff: number of the first one, and how many. Each begins and ends between two top-level objects."""

    @property
    def elements(self) -> int:
        """Return the number of elements."""
        return sum(length for _, length in self.ranges)


class Element(NamedTuple):
    """What the plan has to know of an element of a diff."""

    is_top: bool
    model: str
    unique_id: str
    action: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A unit that this agent has claimed."""

    number: int
    token: int
    """The fencing token: larger than that of every earlier claim."""
    unit: Unit
    taken_from: str = ""
    """Name of the agent that had the unit and gave no sign of life; empty if none had it."""
    agents: int = 1
    """Agents that are alive."""
    tried: int = 0
    """Operations that were tried in finished units."""
    failed: int = 0
    """Operations that failed in finished units."""
    elements: int = 0
    """Elements of finished units."""


class RoundOver(Exception):
    """Nothing is left to claim: everything is done, or an agent has stopped."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        """Why an agent has stopped; empty if everything is done."""


@dataclass(frozen=True, slots=True)
class AgentState:
    """What is known of one agent. Threads may share it."""

    name: str
    state: str
    """`working`, `waiting`, `ended`, `stopped`, `failed`, `silent` (its unit can be taken over) or `taken over`."""
    began: datetime
    """In UTC by the clock of Redis, as `seen`."""
    seen: datetime
    """Time of its last sign of life."""
    operations: int
    """Operations that it has handled."""
    units: int
    """Units that it has finished, without the plan and the end."""
    took_over: int
    """Units that it has taken over from others."""
    unit: Unit | None = None
    """What it works on."""
    reason: str = ""
    """Why it has stopped or failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One application of a diff by several agents. Threads may share it."""

    agents: list[AgentState]
    units: int
    """Units in all, without the plan and the end; 0 before the plan is made."""
    units_done: int
    elements_done: int
    """Elements in finished units; each is counted for its changes and again for its deletes."""
    counts: dict[str, int] = field(default_factory=dict)
    """Operations in finished units, by how they ended."""
    is_attempted: bool = False
    """Whether any operation was sent."""
    group: str = ""
    """The group of the agents."""
    closed_by: str = ""
    """Name of the agent that closed the diff; empty before."""
    stopped: str = ""
    """Why it was stopped."""
