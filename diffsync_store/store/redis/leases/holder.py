"""The holder of a lease."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lease."""

    owner: str
    reason: str
    since: datetime
    """In UTC, as `until`."""
    until: datetime | None
    """When it ends unless it is renewed; None for a maintenance lock, which stays until it is unlocked."""
    token: int

    @classmethod
    def parse(cls, answer: list[Any]) -> Self | None:
        """Return the holder from the answer of a script; None if the answer is empty."""
        if not answer:
            return None
        owner, reason, since, until, token, _ = (part.decode() for part in answer)
        return cls(owner, reason, _time(since), _time(until) if until else None, int(token))

    def __str__(self) -> str:
        end = (
            f"ends at {_clock(self.until)} unless renewed"
            if self.until
            else "locked (maintenance) until somebody unlocks it"
        )
        return f"{self.owner} since {_clock(self.since)}: {self.reason} ({end})"


def _time(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def _clock(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
