"""How a step of a reconcile ended."""

from typing import NamedTuple

from diffsync_store.project import UserError


class StepEnd(NamedTuple):
    """A step that did not fail."""

    name: str
    """What it did, such as `load netbox · 12 objects`."""
    state: str
    """Name of its state."""
    url: str = ""
    """Page of its own run; empty if it has none."""
    pending: str = ""
    """Where a person has to decide; empty if nobody has to."""


class StepFailed(UserError):
    """Steps did not succeed; the message names each with its reason."""
