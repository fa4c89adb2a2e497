"""Export of rejects as rows, JSON and CSV."""

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
"""Characters by which spreadsheets recognize a formula, full-width ones included."""


def rows(rejects: Iterable[Reject]) -> list[dict[str, Any]]:
    """Return a dict for each reject, with the keys of `COLUMNS` in this order."""
    return [{name: canonical(getattr(reject, name)) for name in COLUMNS} for reject in rejects]


def to_json(rejects: Iterable[Reject]) -> str:
    """Return the rejects as a JSON list."""
    return json.dumps(rows(rejects), ensure_ascii=False, indent=2)


def to_csv(rejects: Iterable[Reject]) -> str:
    """Return the rejects as CSV with a header; a quote precedes what a spreadsheet would treat as a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows(rejects):
        writer.writerow([_cell(row[name]) for name in COLUMNS])
    return text.getvalue()


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
