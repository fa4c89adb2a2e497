"""Select operations of a diff in a run's form or in a terminal."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from diffsync_store.diffs import SavedDiff
from diffsync_store.project import UserError
from diffsync_store.selection import Select


class Selection(BaseModel):
    """Operations that match every field given here; `*`, `?` and `[abc]` are wildcards."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field("*", description="Name of the model")
    unique_id: str = Field("*", description="Unique id of the object")
    attribute: str = Field("*", description="An attribute that the operation changes")
    action: Literal["*", "create", "update", "delete"] = Field("*", description="Action of the operation")

    def to_select(self) -> Select:
        return Select(**self.model_dump())


def parse_selection(text: str) -> Select:
    """Parse `MODEL`, `MODEL:UNIQUE_ID`, or JSON as in a sync's form, such as `{"action": "delete"}`.

    Raises:
        UserError: The text is none of these.
    """
    if not text.startswith("{"):
        model, _, unique_id = text.partition(":")
        return Selection(model=model or "*", unique_id=unique_id or "*").to_select()
    try:
        return Selection.model_validate_json(text).to_select()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        reason = f"{place}: {first['msg']}" if place else first["msg"]
        raise UserError(
            f"{text} is not a selection: {reason}. Use the keys {', '.join(Selection.model_fields)}."
        ) from None


def count_matching(saved: SavedDiff, rules: Sequence[Select]) -> int:
    """Count the operations of a diff that at least one rule matches.

    Raises:
        UserError: A rule matches nothing. A misspelt exclusion would otherwise apply what it should leave out.
    """
    if not rules:
        return 0
    total, unused = 0, set(rules)
    for operation in saved.operations():
        element = operation.element(saved.record.source_name, saved.record.target_name)
        matching = {rule for rule in rules if rule.matches(element)}
        total += bool(matching)
        unused -= matching
    if unused:
        models = ", ".join(saved.record.by_model) or "none"
        raise UserError(f"No operation of the diff matches {'; '.join(map(str, unused))}. Its models are: {models}.")
    return total
