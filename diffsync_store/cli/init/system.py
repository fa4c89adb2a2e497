"""The two systems, while they are looked into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from diffsync_store.adapters.discovery import Address, Collection, Discovery, discovery_of, recognize
from diffsync_store.cli.app import echo_error
from diffsync_store.cli.init.questions import CannotDraft, Questions
from diffsync_store.redaction import redact_url_passwords


@dataclass
class System:
    """One side while it is looked into."""

    address: Address
    discovery: Discovery
    token: str

    def names(self) -> Sequence[str]:
        return self.discovery.names()

    def describe(self, name: str) -> Collection:
        return self.discovery.describe(name)


@contextmanager
def open_system(side: str, text: str, ask: Questions) -> Iterator[System]:
    address = recognize(text or ask.for_system(side))
    token = ask.for_token(side, address) if address.needs_token else ""
    echo_error(f"{side}: {address.type}, {redact_url_passwords(address.location)}")
    try:
        discovery = discovery_of(address, token)
    except ImportError:
        raise
    except Exception as error:  # of a driver or an API
        raise CannotDraft(f"{side}: {_first_line(error)}") from error
    try:
        yield System(address, discovery, token)
    finally:
        discovery.close()


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
