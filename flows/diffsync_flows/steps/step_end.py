"""How a step of a reconcile ended, and how the reconcile ends after its steps."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from diffsync_flows.reporting.artifacts.reconcile import WAITING
from diffsync_flows.runtime.states import Ending, Outcome
from diffsync_flows.steps.outcome import NOBODY_ASKED
from diffsync_store.project import UserError

NOTHING_APPLIED = (Outcome.ALREADY_PENDING, Outcome.SUPERSEDED, Outcome.REJECTED, Outcome.SKIPPED)


class StepEnd(NamedTuple):
    """A step that did not fail."""

    name: str
    """What it did, such as `load netbox · 12 objects`."""
    outcome: Outcome
    message: str = ""
    """What a person has to know."""
    url: str = ""
    """Page of its own run; empty if it has none."""
    is_waiting: bool = False
    """Whether a person has to decide first."""

    @property
    def title(self) -> str:
        """Return the name without the outcome."""
        return self.name.removeprefix(self.outcome.prefix)

    def row(self) -> tuple[str, str, str]:
        """Return name, result and page."""
        return self.name, WAITING if self.is_waiting else self.outcome.label, self.url


class StepFailed(UserError):
    """Steps did not succeed; the message names each with its reason."""


def reconcile_ending(steps: Sequence[StepEnd], ids: Any, *, dry_run: bool) -> Ending:
    """Return how a reconcile ends after its steps."""
    for step in steps:
        if step.is_waiting:
            return Ending(message=step.message, data=ids)
        if step.outcome in NOTHING_APPLIED:
            return Ending(step.outcome, step.message, ids)
    text = _partial_text([step for step in steps if step.outcome is Outcome.PARTIAL])
    if dry_run:
        return Ending(Outcome.DRY_RUN, f"Nothing was changed. {text}".strip(), ids)
    return Ending(Outcome.PARTIAL if text else Outcome.COMPLETE, text, ids)


def _partial_text(partial: Sequence[StepEnd]) -> str:
    found = {
        "Some records were not loaded": [step.title for step in partial if step.title.startswith("load ")],
        "Some operations were not applied": [step.title for step in partial if not step.title.startswith("load ")],
    }
    texts = [f"{what}: {', '.join(names)}." for what, names in found.items() if names]
    if texts:
        if any(NOBODY_ASKED in step.message for step in partial):
            texts.append(NOBODY_ASKED)
        texts.append(f"The artifacts of {'this step' if len(partial) == 1 else 'these steps'} list them.")
    return " ".join(texts)
