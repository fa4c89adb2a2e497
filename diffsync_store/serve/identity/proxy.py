"""A person whom a trusted proxy names in a header."""

from starlette.datastructures import Headers

from diffsync_store.project.serve import ProxyIdentity
from diffsync_store.serve.identity.identity import Identity, InvalidName, checked_name
from diffsync_store.serve.identity.refusal import Refused
from diffsync_store.serve.identity.roles import RoleRules
from diffsync_store.serve.security.addresses import is_in


class ProxyHeaders:
    """Read the headers of a proxy. Threads may share it."""

    def __init__(self, declared: ProxyIdentity, rules: RoleRules) -> None:
        self._declared = declared
        self._rules = rules

    def identify(self, headers: Headers, peer: str) -> Identity | None:
        """Return who the proxy says makes the request; None if it names nobody.

        Args:
            headers: of the request.
            peer: the address that the connection comes from, never one that a header names.

        Raises:
            Refused: the header comes from elsewhere, comes twice, or holds no name.
        """
        declared = self._declared
        names = headers.getlist(declared.header)
        groups = headers.getlist(declared.groups_header) if declared.groups_header else []
        if not names and not groups:
            return None
        if not is_in(peer, declared.trusted):
            raise Refused(
                f"The header {declared.header} is accepted from the proxy only. Open the page through the proxy, or add the "
                "address of the proxy to `serve: {identity: {proxy: {trusted: …}}}`."
            )
        if len(names) != 1:
            raise Refused(f"The header {declared.header} must be there once. Check the configuration of the proxy.")
        try:
            name = checked_name(_text(names[0]))
        except InvalidName as error:
            raise Refused(f"The header {declared.header} is not a name: {error}.") from None
        members = [group.strip() for line in groups for group in _text(line).split(",")]
        return Identity(name, self._rules.roles(name, members), "proxy")


def _text(value: str) -> str:
    """Return a header in UTF-8: Starlette decodes the bytes as Latin-1."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
