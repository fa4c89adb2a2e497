"""Operations of a diff, as a person names them: in the form of a run, or in a word of a terminal."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from diffsync_store import Select
from flows.faults import Fault


class Selection(BaseModel):
    """Operations that fit everything that is given here; `*`, `?` and `[abc]` are wildcards."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field("*", description="Name of the model")
    unique_id: str = Field("*", description="Unique id of the object")
    attribute: str = Field("*", description="An attribute that the operation changes")
    action: Literal["*", "create", "update", "delete"] = Field("*", description="What is done")

    def of_library(self) -> Select:
        return Select(**self.model_dump())


def selected(word: str) -> Select:
    """What `MODEL` or `MODEL:UNIQUE_ID` names; or, as JSON, what a sync's form takes: `{"action": "delete"}`.

    Raises:
        Fault: it is none of these.
    """
    if not word.startswith("{"):
        model, _, unique_id = word.partition(":")
        return Selection(model=model or "*", unique_id=unique_id or "*").of_library()
    try:
        return Selection.model_validate_json(word).of_library()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        told = f"{place}: {first['msg']}" if place else first["msg"]
        raise Fault(f"{word} selects nothing: {told}. It may have {', '.join(Selection.model_fields)}.") from None
