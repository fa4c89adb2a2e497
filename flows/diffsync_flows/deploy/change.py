"""The changes that a deploy made."""

from dataclasses import dataclass

CREATED, UPDATED, UNCHANGED, PAUSED, REMOVED = "created", "updated", "unchanged", "paused", "removed"
WORK_POOL = "work pool"


@dataclass(frozen=True)
class Change:
    """The change to one deployment, work pool or automation."""

    name: str
    action: str
    detail: str = ""
    kind: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.kind} {self.name}" if self.kind else self.name
