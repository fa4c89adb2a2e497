"""Which records of the two systems belong together."""

from __future__ import annotations

from collections.abc import Sequence

from diffsync_store.adapters.discovery import Collection
from diffsync_store.cli.init.questions import CannotDraft, Questions, find, listed
from diffsync_store.cli.init.system import System
from diffsync_store.project.draft import pair_names
from diffsync_store.redaction import redact_url_passwords

_FILLED = ("sql", "files")
"""Types of systems that get the source's records if they are empty."""


def choose_pairs(
    here: System, there: System, records: Sequence[str], ask: Questions
) -> list[tuple[Collection, Collection | None]]:
    names, other_names = here.names(), there.names()
    if not names:
        raise CannotDraft(f"{redact_url_passwords(here.address.location)} has no records that can be read.")
    if not other_names and there.address.type in _FILLED:
        return [(here.describe(name), None) for name in _named(records, names) or names]
    chosen = [_pair_of(text, names, other_names) for text in records]
    if not chosen:
        proposed = pair_names(names, other_names)
        chosen = ask.for_pairs(proposed) if proposed else [ask.for_pair(names, other_names)]
    if not chosen:
        raise CannotDraft("No records were chosen, so there is nothing to sync.")
    return [(here.describe(name), there.describe(other)) for name, other in chosen]


def left_out(here: System, pairs: Sequence[tuple[Collection, Collection | None]]) -> list[str]:
    """Return the names of the source's records that are in no pair."""
    chosen = {collection.name for collection, _ in pairs}
    return [name for name in here.names() if name not in chosen]


def _named(records: Sequence[str], names: Sequence[str]) -> list[str]:
    return [find(text.partition("=")[0], names, "source") for text in records]


def _pair_of(text: str, names: Sequence[str], other_names: Sequence[str]) -> tuple[str, str]:
    first, equals, second = text.partition("=")
    name = find(first, names, "source")
    if equals:
        return name, find(second, other_names, "target")
    found = pair_names([name], other_names)
    if not found:
        raise CannotDraft(
            f"The target has no records like {name}. Name them: --records {name}=TARGET. It has {listed(other_names)}."
        )
    return found[0]
