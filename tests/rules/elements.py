"""Elements of a diff for tests of rules."""

from __future__ import annotations

from typing import Any

from diffsync_store.diff import DiffElement


def element(
    model: str = "vlan",
    name: str = "10",
    *,
    source: dict[str, Any] | None = None,
    target: dict[str, Any] | None = None,
    absent_loads: int = 0,
    **identifiers: Any,
) -> DiffElement:
    """Return an element: a create without `target`, a delete without `source`."""
    found = DiffElement(model, name, identifiers or {"vid": name})
    found.add_attrs(source, target)
    found.uid, found.absent_loads = name, absent_loads
    return found
