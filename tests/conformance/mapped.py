"""Declared models and their samples, for the ready adapters."""

from __future__ import annotations

from datetime import date
from typing import Any

from diffsync_store.adapters.mapped import MappedModel
from diffsync_store.mapping import ModelDefinition, build_models
from diffsync_store.testing import Record, Sample

DEFINITIONS = {
    "site": ModelDefinition.model_validate(
        {"identifiers": {"name": "str"}, "attributes": {"region": "str?", "floors": "int?"}}
    ),
    "device": ModelDefinition.model_validate(
        {
            "identifiers": {"site": "str", "name": "str"},
            "attributes": {"role": "str?", "rack": "int?", "weight": "number?", "active": "bool", "since": "date?"},
            "references": {"site": "site"},
        }
    ),
}
MODELS = build_models(DEFINITIONS, MappedModel)
FULL = "full"
"""A region or role that a system refuses, where it can refuse."""

SITE = Sample(
    "site",
    identifiers=lambda n: {"name": f"site {n}"},
    first={"region": "north", "floors": 1},
    second={"region": "south", "floors": 2},
    text=("name", "region"),
)
DEVICE = Sample(
    "device",
    identifiers=lambda n: {"site": "site 0", "name": f"device {n}"},
    first={"role": "leaf", "rack": 1, "weight": 1.5, "active": True, "since": date(2024, 2, 29)},
    second={"role": "spine", "rack": 2, "weight": 20, "active": False, "since": date(2025, 1, 1)},
    needs=("site",),
    text=("name", "role"),
    values={"rack": [0, -1, 2**31 - 1], "weight": [0, 0.1, -1e-9, 1e15], "since": [date(1, 1, 1), date(9999, 12, 31)]},
)
INVALID: dict[str, dict[str, Any]] = {
    "site": {"name": "unfit", "region": "north", "floors": "many"},
    "device": {
        "site": "site 0",
        "name": "unfit",
        "role": "leaf",
        "rack": "x",
        "weight": 1,
        "active": True,
        "since": None,
    },
}
"""Records that do not fit their models."""


def is_same(record: Record, row: dict[str, Any]) -> bool:
    """Whether a row has the identifiers of a record."""
    return all(row[name] == value for name, value in record.identifiers.items())
