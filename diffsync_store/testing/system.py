"""SystemUnderTest: what the conformance suite has to know of a system, and the ways to see and disturb it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Literal, NoReturn

import pytest

from diffsync_store.adapter import Adapter
from diffsync_store.store.base import BaseStore
from diffsync_store.testing.sample import Record
from diffsync_store.testing.texts import TEXTS

Side = Literal["read", "write"]
"""The calls that a fault meets."""

Fault = Literal["too many requests", "server error", "reset", "lost answer", "nonsense"]
"""What happens to the next call:

too many requests   the system asks to come again after a second, and does nothing (HTTP 429 with `Retry-After: 1`)
server error        the system fails and does nothing (HTTP 500)
reset               the connection ends before the system gets the call
lost answer         the system does the call, and the connection ends before the answer
nonsense            the answer is not in the system's format, such as the HTML page of a proxy
"""

ABILITIES: Mapping[str, str] = {
    "create": "records can be created",
    "update": "attributes can be changed",
    "delete": "records can be deleted",
    "threads": "accepts writes of several threads or processes at once",
    "case": "distinguishes names that differ in case only",
    "null": "keeps null in optional attributes",
    "partial update": "an update does not change other attributes",
    **{f"text: {name}": f"keeps the text {text!r}" if text else f"keeps a {name} text" for name, text in TEXTS.items()},
}
"""The names for `cannot`, and what each one means."""


class SystemUnderTest(ABC):
    """A system behind an adapter, which the suite may empty, fill, look into and disturb without the adapter.

    The suite calls it from one thread. A method that is not overridden skips the cases that need it, with a reason.
    """

    secrets: Sequence[str] = ()
    """Passwords and tokens of the adapter's settings: they must appear nowhere."""
    cannot: ClassVar[Mapping[str, str]] = {}
    """What the system cannot do, by the names in `ABILITIES`, each with the reason: the cases that need it are skipped."""
    page_size: int = 0
    """Records of one page, if the adapter reads in pages: a load of more than two pages is tried."""

    @abstractmethod
    def make_adapter(self, store: BaseStore) -> Adapter:
        """Return a new adapter of the system over a store."""

    @abstractmethod
    def records(self, model: str) -> Iterable[Mapping[str, Any]]:
        """Return the records that the system has now: all fields of the model, identifiers and attributes."""

    @abstractmethod
    def put(self, record: Record) -> None:
        """Create a record, or replace the one with these identifiers."""

    @abstractmethod
    def remove(self, record: Record) -> None:
        """Delete a record."""

    def put_invalid(self, model: str) -> str:
        """Create a record that does not fit its model; return a text that names it, such as its identifiers."""
        self._not_provided("put_invalid")

    def fail_next(self, fault: Fault, on: Side, times: int = 1) -> None:
        """Let the next call of the adapter fail."""
        self._not_provided("fail_next")

    def deny(self, on: Side) -> AbstractContextManager[None]:
        """Take a right away for the time of the block, as the system does for a user who lacks it."""
        self._not_provided("deny")

    def between_pages(self, action: Callable[[], None]) -> None:
        """Call `action` once, after the first page of the next load was read and before the second."""
        self._not_provided("between_pages")

    def calls(self, side: Side) -> int:
        """Return how many calls of a kind the system has received since the start."""
        self._not_provided("calls")

    def make_unreachable_adapter(self, store: BaseStore) -> Adapter:
        """Return an adapter whose system cannot be reached: a port where nothing listens, a folder that does not exist."""
        self._not_provided("make_unreachable_adapter")

    def make_adapter_with_wrong_credentials(self, store: BaseStore) -> Adapter:
        """Return an adapter whose password or token is wrong."""
        self._not_provided("make_adapter_with_wrong_credentials")

    def _not_provided(self, method: str) -> NoReturn:
        pytest.skip(f"{type(self).__name__} does not provide `{method}`.")
