"""What a person leaves out of an approval: rules, or single operations by their ids."""

import re
from collections.abc import Sequence
from glob import escape

from diffsync_store.diffs import SavedDiff
from diffsync_store.project import UserError
from diffsync_store.runs import count_matching, parse_selection
from diffsync_store.selection import Select

_ID = re.compile(r"[0-9a-f]{24}")
MAX_EXCLUSIONS = 5000


def parse_exclusions(saved: SavedDiff, texts: Sequence[str]) -> tuple[Select, ...]:
    """Return the rules for what was excluded.

    Args:
        saved: the diff.
        texts: ids of operations, `MODEL`, `MODEL:UNIQUE_ID` with wildcards, or JSON such as `{"action": "delete"}`.

    Raises:
        UserError: one matches nothing, or has no known form.
    """
    if len(texts) > MAX_EXCLUSIONS:
        raise UserError(f"{len(texts):,} exclusions are too many. Exclude whole models or a pattern instead.")
    ids = {text for text in texts if _ID.fullmatch(text)}
    rules = tuple(dict.fromkeys(parse_selection(text) for text in texts if text and text not in ids))
    count_matching(saved, rules)
    return (*rules, *_of_operations(saved, ids))


def _of_operations(saved: SavedDiff, ids: set[str]) -> tuple[Select, ...]:
    """Return a rule for each operation; its names count letter by letter, whatever wildcards they have."""
    if not ids:
        return ()
    found = {operation.id: operation for operation in saved.operations() if operation.id in ids}
    if missing := sorted(ids - found.keys()):
        raise UserError(f"The diff has no operation {missing[0]}. Load the page again.")
    return tuple(
        Select(model=escape(each.model), unique_id=escape(each.unique_id or each.name), action=each.action or "*")
        for each in found.values()
    )
