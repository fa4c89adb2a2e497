"""Commands whose packages an extra installs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from diffsync_store.project import UserError


@contextmanager
def needs_extra(name: str) -> Iterator[None]:
    """Import the modules of a command in the body.

    Raises:
        UserError: a package is missing; the message says how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing.startswith("diffsync"):  # an error in this package
            raise
        raise UserError(f"This command needs the package {missing}: pip install 'diffsync-store[{name}]'") from error
