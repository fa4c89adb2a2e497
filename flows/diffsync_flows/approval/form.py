"""The form in which a person approves or rejects a diff."""

from glob import escape
from typing import Any, Literal

from prefect.input import RunInput
from pydantic import Field, create_model

from diffsync_flows.reporting.run_metadata import ACTIONS
from diffsync_store import Select
from diffsync_store.diffs import DiffRecord
from diffsync_store.runs import MAX_REFUSED, RehearsalReport

INSTRUCTIONS = "**Choose a decision below.** Without one, Resume is refused and the run keeps waiting.\n\n"

EXCLUDE_REFUSED = Field(
    False, description="Approve all but the operations that the target would refuse; they can be approved later"
)


class Decision(RunInput):
    """Apply this diff?"""

    decision: Literal["approve", "reject"] = Field(
        description="approve: apply the diff as it was saved. reject: do not apply it."
    )
    by: str = Field("", description="Your name; saved with the diff")
    comment: str = Field("", description="Reason or change number; saved with the diff")
    exclude_actions: list[Literal["create", "update", "delete"]] = Field(
        [], description="Approve all but these actions; they can be approved later"
    )
    exclude_models: list[str] = Field(
        [], description="Approve all but the operations of these models; they can be approved later"
    )

    @property
    def excludes_refused(self) -> bool:
        """Whether the approval leaves out what the target would refuse."""
        return bool(getattr(self, "exclude_refused", False))

    @property
    def excluded(self) -> tuple[Select, ...]:
        """The operations that the approval leaves out."""
        actions = [Select(action=action) for action in self.exclude_actions]
        return (*actions, *(Select(model=escape(model)) for model in self.exclude_models))


def decision_form(record: DiffRecord, rehearsal: RehearsalReport | None = None) -> type[Decision]:
    """Return the form for a diff: it offers only the actions and models that the diff has.

    Args:
        record: The record of the diff.
        rehearsal: What a rehearsal of it found.
    """
    choices = {
        "exclude_actions": tuple(filter(record.summary.get, ACTIONS)),
        "exclude_models": tuple(record.by_model),
    }
    fields: dict[str, Any] = {
        name: (list[Literal[names]], Decision.model_fields[name])  # type: ignore[valid-type]  # known at run time only
        for name, names in choices.items()
        if names
    }
    if rehearsal is not None and 0 < rehearsal.refused <= MAX_REFUSED:
        fields["exclude_refused"] = (bool, EXCLUDE_REFUSED)
    form: type[Decision] = create_model(Decision.__name__, __base__=Decision, **fields)
    return form
