"""The request of a run of `sync`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diffsync_store import Select


@dataclass(frozen=True)
class SyncRequest:
    """The parameters of a sync run, in the library's types."""

    diff_id: str
    sync_name: str = ""
    """The sync that the diff must belong to; empty for any."""
    allow: tuple[str, ...] = ()
    select: tuple[Select, ...] = ()
    exclude: tuple[Select, ...] = ()
    retry_rejected: bool = False

    @property
    def overrides(self) -> Mapping[str, Sequence[object]]:
        """The parameters by which the run applies more or less than the whole diff within the guards."""
        return {"allow": self.allow, "select": self.select, "exclude": self.exclude}

    @property
    def is_whole_diff(self) -> bool:
        """Whether the run applies the whole diff within the guards."""
        return not (self.retry_rejected or any(self.overrides.values()))

    @property
    def rules(self) -> tuple[Select, ...]:
        """The rules that select or exclude operations."""
        return (*self.select, *self.exclude)

    @property
    def options(self) -> dict[str, Any]:
        """Options of the library's sync."""
        return {"select": self.select, "exclude": self.exclude, "retry_rejected": self.retry_rejected}
