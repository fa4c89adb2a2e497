"""The request to apply a saved diff, or a part of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from diffsync_store.printable import printable
from diffsync_store.redaction import truncate
from diffsync_store.selection import Select

_MAX_REASON = 300


@dataclass(frozen=True)
class SyncRequest:
    """Which diff to apply, and which of its operations."""

    diff_id: str
    sync_name: str = ""
    """The sync that the diff must belong to; empty for any."""
    allow: tuple[str, ...] = ()
    select: tuple[Select, ...] = ()
    exclude: tuple[Select, ...] = ()
    retry_rejected: bool = False
    outside_window: str = ""
    """Why it is applied outside of the windows of the sync; empty if it waits for them."""
    skip_canary: str = ""
    """Why everything is applied at once although the sync has a canary; empty if the canary comes first."""

    @property
    def overrides(self) -> Mapping[str, Sequence[object]]:
        """Return the options that make the run apply more or less than the whole diff within the guards."""
        return {"allow": self.allow, "select": self.select, "exclude": self.exclude}

    @property
    def is_whole_diff(self) -> bool:
        """Whether the run applies the whole diff within the guards."""
        return not (self.retry_rejected or any(self.overrides.values()))

    @property
    def scope(self) -> str:
        """Return which operations of the diff it applies, as text to compare."""
        chosen = [[asdict(each) for each in rules] for rules in (self.select, self.exclude)]
        return json.dumps([sorted(self.allow), *chosen, self.retry_rejected])

    @property
    def rules(self) -> tuple[Select, ...]:
        """Return the rules that select or exclude operations."""
        return (*self.select, *self.exclude)

    @property
    def options(self) -> dict[str, Any]:
        """Options of the library's sync."""
        return {
            "select": self.select,
            "exclude": self.exclude,
            "retry_rejected": self.retry_rejected,
            "skip_canary": override_reason(self.skip_canary),
        }


def override_reason(text: str) -> str:
    """Return the reason of an override as one line for the journal."""
    return truncate(printable(" ".join(text.split())), _MAX_REASON)
