"""What the page of a deployment says of its sync: what it does, who approves, and what limits it."""

from collections.abc import Callable

import yaml

from diffsync_flows.config.schema import PrefectSyncEntry
from diffsync_store.guards import Completeness

APPROVAL = {
    "never": "**Approval:** none. Every diff within the guards is applied.",
    "deletes": "**Approval:** a person must approve a diff that deletes something.",
    "always": "**Approval:** a person must approve every diff.",
}
COMPLETENESS = "**Guards:** deletes that a partial or empty load does not prove are left out{exceptions}."
NO_LIMITS = "No limit is declared for the number of changes."
LIMITS = "The file declares:"
SAFETY_KEYS = frozenset({"guards", "rules", "fields", "deletes", "canary", "windows", "rehearse"})
"""Keys of a sync that restrict what it changes, and when. Those that the sync does not have are ignored."""


def describe_step(step: str, description: str) -> str:
    """Return what a deployment does, and the description in the file."""
    return f"{step}\n\n{description}" if description else step


def describe_sync(step: str, entry: PrefectSyncEntry, redact: Callable[[str], str] = str) -> str:
    """Return the description of a deployment that changes the target of a sync, as Markdown.

    Args:
        step: What the deployment does.
        entry: The sync.
        redact: Removes the secrets of the file.
    """
    declared = entry.model_dump(mode="json", by_alias=True, exclude_defaults=True, include=set(SAFETY_KEYS))
    text = yaml.safe_dump(declared, sort_keys=False, allow_unicode=False) if declared else ""
    limits = f"{LIMITS}\n\n```yaml\n{redact(text)}```" if text else NO_LIMITS
    exceptions = "" if entry.guards.completeness == Completeness() else ", except as declared below"
    guards = COMPLETENESS.format(exceptions=exceptions)
    return "\n\n".join([describe_step(step, entry.description), APPROVAL[entry.approval], guards, limits])
