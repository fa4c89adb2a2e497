"""Operations of a diff, as a person names them: in the form of a run, or in a word of a terminal."""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from diffsync_flows.runtime.errors import UserError
from diffsync_store import Select
from diffsync_store.diffs import SavedDiff


class Selection(BaseModel):
    """Operations that fit everything that is given here; `*`, `?` and `[abc]` are wildcards."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field("*", description="Name of the model")
    unique_id: str = Field("*", description="Unique id of the object")
    attribute: str = Field("*", description="An attribute that the operation changes")
    action: Literal["*", "create", "update", "delete"] = Field("*", description="What is done")

    def to_select(self) -> Select:
        return Select(**self.model_dump())


def parse_selection(word: str) -> Select:
    """What `MODEL` or `MODEL:UNIQUE_ID` names; or, as JSON, what a sync's form takes: `{"action": "delete"}`.

    Raises:
        UserError: it is none of these.
    """
    if not word.startswith("{"):
        model, _, unique_id = word.partition(":")
        return Selection(model=model or "*", unique_id=unique_id or "*").to_select()
    try:
        return Selection.model_validate_json(word).to_select()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        told = f"{place}: {first['msg']}" if place else first["msg"]
        raise UserError(f"{word} selects nothing: {told}. It may have {', '.join(Selection.model_fields)}.") from None


def count_matching(saved: SavedDiff, rules: Sequence[Select]) -> int:
    """How many operations of a diff are named by the rules.

    Raises:
        UserError: one of them names none: a mistake in its spelling would let through what was to be left out.
    """
    if not rules:
        return 0
    total, unused = 0, set(rules)
    for operation in saved.operations():
        element = operation.element(saved.record.source_name, saved.record.target_name)
        fitting = {rule for rule in rules if rule.matches(element)}
        total += bool(fitting)
        unused -= fitting
    if unused:
        models = ", ".join(saved.record.by_model) or "none"
        raise UserError(f"No operation of the diff is of {'; '.join(map(str, unused))}. Its models are {models}.")
    return total
