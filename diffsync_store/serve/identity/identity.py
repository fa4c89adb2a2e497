"""Who makes a request."""

from dataclasses import dataclass
from typing import Literal, get_args

from starlette.authentication import BaseUser

from diffsync_store.printable import is_printable
from diffsync_store.project import Role

ROLES: tuple[Role, ...] = get_args(Role)
Source = Literal["nobody", "local", "proxy", "oidc", "token"]
MAX_NAME = 200


class InvalidName(ValueError):
    """A name that cannot be recorded with a decision."""


@dataclass(frozen=True)
class Identity(BaseUser):
    """A person or a pipeline, and what it may do. Starlette has it as `request.user`."""

    name: str
    roles: frozenset[Role] = frozenset()
    source: Source = "nobody"
    """What said so."""

    @property
    def is_authenticated(self) -> bool:
        """Whether somebody has signed in; people who only read on this machine have not."""
        return self.source in {"proxy", "oidc", "token"}

    @property
    def display_name(self) -> str:
        """The name."""
        return self.name

    @property
    def identity(self) -> str:
        """The name with its source: a token has not the rights of a person of the same name."""
        return f"{self.source}:{self.name}"

    @property
    def needs_csrf_token(self) -> bool:
        """Whether a browser sends the identity by itself, so that another site could use it."""
        return self.source != "token"


NOBODY = Identity("")
LOCAL_READER = Identity("", frozenset({"read"}), "local")
"""Who reads on this machine, where the file configures no identity."""


def checked_name(name: str) -> str:
    """Return a name that is recorded and shown.

    Raises:
        InvalidName: it is empty, too long, or has characters that are not visible.
    """
    name = name.strip()
    if not name or len(name) > MAX_NAME or not all(map(is_printable, name)):
        raise InvalidName(f"the name must have 1 to {MAX_NAME} visible characters")
    return name
