"""Which roles a person has, by name and groups."""

from collections.abc import Iterable, Mapping, Sequence

from diffsync_store.project import Role
from diffsync_store.serve.identity.identity import ROLES

EVERYBODY = "*"
_USER = "user:"


class RoleRules:
    """The roles of the file: groups, `user:NAME`, or `*`. Threads may share it."""

    def __init__(self, declared: Mapping[Role, Sequence[str]]) -> None:
        self._declared = {role: frozenset(declared.get(role, ())) for role in ROLES}

    def roles(self, name: str, groups: Iterable[str]) -> frozenset[Role]:
        """Return the roles of a person who is signed in."""
        held = {EVERYBODY, f"{_USER}{name}", *self.mentioned(groups)}
        return with_read(role for role, entries in self._declared.items() if entries & held)

    def mentioned(self, groups: Iterable[str]) -> list[str]:
        """Return the groups that have a role. A group cannot pass for a person or for everybody."""
        known = frozenset().union(*self._declared.values())
        return sorted(group for group in set(groups) & known if group != EVERYBODY and not group.startswith(_USER))


def with_read(roles: Iterable[Role]) -> frozenset[Role]:
    """Return the roles, and `read` with any other."""
    found = frozenset(roles)
    return found | {"read"} if found else found
