"""Operations that a person has chosen: rules, or single operations by their ids."""

import re
from collections.abc import Sequence
from glob import escape

from diffsync_store.diffs import SavedDiff
from diffsync_store.operation import Operation, id_in
from diffsync_store.project import UserError
from diffsync_store.runs.filters import count_matching, parse_selection
from diffsync_store.selection import Select

_ID = re.compile(r"[0-9a-f]{24}")
MAX_CHOSEN = 5000


def parse_operations(saved: SavedDiff, texts: Sequence[str]) -> tuple[Select, ...]:
    """Return the rules for what a person has chosen of a diff.

    Args:
        saved: the diff.
        texts: ids of operations, `MODEL`, `MODEL:UNIQUE_ID` with wildcards, or JSON such as `{"action": "delete"}`.

    Raises:
        UserError: one matches nothing, or has no known form.
    """
    if len(texts) > MAX_CHOSEN:
        raise UserError(f"{len(texts):,} operations are too many to name. Name whole models or a pattern instead.")
    ids = {text for text in texts if _ID.fullmatch(text)}
    rules = tuple(dict.fromkeys(parse_selection(text) for text in texts if text and text not in ids))
    count_matching(saved, rules)
    return (*rules, *_of_operations(saved, ids))


def _of_operations(saved: SavedDiff, ids: set[str]) -> tuple[Select, ...]:
    """Return a rule for each operation; its names count letter by letter, whatever wildcards they have."""
    if not ids:
        return ()
    found = {id_in(text): Operation.model_validate_json(text) for text in saved.texts() if id_in(text) in ids}
    if missing := sorted(ids - found.keys()):
        raise UserError(f"The diff has no operation {missing[0]}. Load the page again.")
    return tuple(
        Select(model=escape(each.model), unique_id=escape(each.unique_id or each.name), action=each.action or "*")
        for each in found.values()
    )
