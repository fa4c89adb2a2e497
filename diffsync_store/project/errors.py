"""Errors of a project file.

UserError              the user can fix it: the message says what is wrong and what to do
├── ConfigError        the file is wrong: `.problems` has the file, line and column of each problem
└── WrongSync          the stores or the diff belong to another sync
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffsync_store.exceptions import ChangeLimitExceeded, InvalidOptions, ObjectStoreException, SyncStopped

Location = tuple[str | int, ...]
"""Keys and list indexes that lead to a value in the file."""


class UserError(ValueError):
    """The user can fix the cause; the message says how."""


@dataclass(frozen=True)
class Problem:
    """One problem of a file."""

    file: Path
    message: str
    line: int | None = None
    """Counted from 1; None for a problem of the whole file."""
    column: int | None = None
    """Counted from 1."""
    location: Location = ()

    def __str__(self) -> str:
        parts = [str(self.file)]
        if self.line is not None:
            parts[0] += f":{self.line}:{self.column}"
        if self.location:
            parts.append(".".join(map(str, self.location)))
        return ": ".join([*parts, self.message])


class ConfigError(UserError):
    """The YAML file is wrong; the message has one line for each problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.problems,), self.__dict__

    @property
    def lines(self) -> tuple[str, ...]:
        """Each problem as one line: `syncs.yaml:12:5: adapters.netbox.class: required key is missing`."""
        return tuple(map(str, self.problems))


class WrongSync(UserError):
    """The stores or the diff belong to other adapters than those of the sync."""


EXPECTED_ERRORS = (UserError, ObjectStoreException, SyncStopped, ChangeLimitExceeded, InvalidOptions)
"""Errors that the user can fix: show their message without a traceback."""
