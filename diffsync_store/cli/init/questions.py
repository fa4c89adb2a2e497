"""What a person is asked, unless the options answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from diffsync_store.adapters.discovery import Address
from diffsync_store.cli.asking import ask, ask_for, is_confirmed
from diffsync_store.cli.environment import environment
from diffsync_store.project.draft import DraftModel, noun_of
from diffsync_store.redaction import redact_url_passwords

_SHOWN = 30
"""Names of collections that a question shows."""


class CannotDraft(Exception):
    """The systems, or what they have, do not fit."""


class Questions:
    """Ask a person, unless the options answer."""

    def __init__(self, *, is_silent: bool) -> None:
        self._is_silent = is_silent

    def for_system(self, side: str) -> str:
        if self._is_silent:
            raise CannotDraft(f"Name the system: --{side} FOLDER, --{side} URL")
        meaning = "the source of truth" if side == "source" else "the system to change"
        return ask_for(f"{side.capitalize()}, {meaning} (folder, file, database URL or web address)")

    def for_token(self, side: str, address: Address) -> str:
        name = f"{side.upper()}_TOKEN"
        known = environment().get(name, "")
        if known or self._is_silent:
            return known
        prompt = f"API token of {redact_url_passwords(address.location)} (it is not stored; set {name} to skip this question)"
        return ask(prompt, is_secret=True)

    def for_pairs(self, proposed: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        if self._is_silent or len(proposed) == 1:
            return list(proposed)
        return [pair for pair in proposed if is_confirmed(f"Sync {pair[0]} → {pair[1]}?", default=True)]

    def for_pair(self, here: Sequence[str], there: Sequence[str]) -> tuple[str, str]:
        if self._is_silent:
            raise CannotDraft(
                "No records of the two systems have the same name. Name them: --records SOURCE=TARGET. "
                f"The source has {listed(here)}. The target has {listed(there)}."
            )
        return _choose("Records of the source", here), _choose("Records of the target", there)

    def for_constants(self, models: Iterable[DraftModel]) -> None:
        for model in models:
            for name in () if self._is_silent else model.missing:
                prompt = f"The target requires {model.name}.{name}, which the source does not have. Value for all records (empty: decide later)"
                if value := ask(prompt):
                    model.set_constant(name, value)


def _choose(prompt: str, names: Sequence[str]) -> str:
    return find(ask_for(f"{prompt} ({listed(names)})"), names, prompt.rpartition(" ")[2])


def find(text: str, names: Sequence[str], side: str) -> str:
    text = text.strip().strip("/")
    same = [name for name in names if name == text] or [name for name in names if noun_of(name) == noun_of(text)]
    if len(same) != 1:
        raise CannotDraft(f"The {side} has no records {text!r}. It has {listed(names)}.")
    return same[0]


def listed(names: Sequence[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
