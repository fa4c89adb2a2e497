"""A draft of a project: two systems, the models that they share, and one sync."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from diffsync_store.project.draft.model import DraftModel

_SHOWN = 8
"""Names of records that a remark shows."""


@dataclass(frozen=True)
class Side:
    """One of the two systems."""

    name: str
    """Name of the adapter in the file."""
    type: str
    settings: Mapping[str, Any]
    """The settings in the file, with `${NAME}` for what comes from the environment."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What each variable holds, by its name, for a person to read."""
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The values of the variables. No file gets them."""


@dataclass(frozen=True)
class Draft:
    """The content of a project file."""

    source: Side
    target: Side
    models: Sequence[DraftModel]
    left_out: Sequence[str] = ()
    """Names of records of the source that are not synced."""

    @property
    def sync_name(self) -> str:
        """Return the name of the sync."""
        return f"{self.source.name}-to-{self.target.name}"

    def remarks(self) -> Iterator[str]:
        """Yield a sentence for each thing that a person has to decide."""
        for model in self.models:
            yield from model.remarks()
        if self.left_out:
            names = ", ".join(self.left_out[:_SHOWN]) + (" …" if len(self.left_out) > _SHOWN else "")
            yield (
                f"Not synced: {names} of the source. Name the records of the target that belong to them, "
                f"`--records {self.left_out[0]}=TARGET`, or add them to `models` and `records`."
            )

    def content(self) -> dict[str, Any]:
        """Return the file as data."""
        return {
            "models": {model.name: model.definition for model in self.models},
            "adapters": {side.name: self._adapter(side) for side in (self.source, self.target)},
            "syncs": {self.sync_name: {"source": self.source.name, "target": self.target.name, "approval": "deletes"}},
        }

    def _adapter(self, side: Side) -> dict[str, Any]:
        entries = {model.name: model.source if side is self.source else model.target for model in self.models}
        records = {name: entry for name, entry in entries.items() if entry is not None}
        return {"type": side.type, "settings": dict(side.settings), "records": records}
