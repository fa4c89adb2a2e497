"""Rejects for people and programs: rows, JSON, CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from diffsync_store.result import Reject
from diffsync_store.values.readable import canonical

COLUMNS = ("state", "action", "model", "unique_id", "reason", "operation_id", "identifiers", "payload")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What spreadsheets take a formula by, full-width signs included."""


def rows(rejects: Iterable[Reject]) -> list[dict[str, Any]]:
    """A dict for each reject, with the same keys in the same order: `COLUMNS`."""
    return [{name: canonical(getattr(reject, name)) for name in COLUMNS} for reject in rejects]


def to_json(rejects: Iterable[Reject]) -> str:
    """The rejects as a JSON list."""
    return json.dumps(rows(rejects), ensure_ascii=False, indent=2)


def to_csv(rejects: Iterable[Reject]) -> str:
    """The rejects as CSV with a header; what a spreadsheet would take for a formula has a quote before it."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows(rejects):
        writer.writerow([_cell(row[name]) for name in COLUMNS])
    return text.getvalue()


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
