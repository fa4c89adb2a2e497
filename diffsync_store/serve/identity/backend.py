"""Find out who makes a request."""

from starlette.authentication import AuthCredentials, AuthenticationBackend
from starlette.requests import HTTPConnection

from diffsync_store.project.serve import is_loopback
from diffsync_store.serve.identity.identity import LOCAL_READER, NOBODY, Identity
from diffsync_store.serve.identity.proxy import ProxyHeaders
from diffsync_store.serve.identity.refusal import Refused, TooManyAttempts, WrongToken
from diffsync_store.serve.identity.session import Sessions
from diffsync_store.serve.identity.tokens import TokenFile
from diffsync_store.serve.security.addresses import client_address, peer_address
from diffsync_store.serve.security.rate_limit import RateLimits

_BEARER = "bearer "
_TOKEN_PARAMETERS = frozenset({"token", "access_token", "api_key", "apikey", "authorization", "bearer"})


class IdentityBackend(AuthenticationBackend):
    """Ask the token, the proxy and the session, in this order. Threads may share it.

    Args:
        proxy: reads the headers of the proxy.
        tokens: the token file.
        sessions: the sessions of people who signed in; None without an OIDC provider.
        attempts: counts wrong tokens by address.
    """

    def __init__(
        self,
        *,
        proxy: ProxyHeaders | None = None,
        tokens: TokenFile | None = None,
        sessions: Sessions | None = None,
        attempts: RateLimits,
    ) -> None:
        self._proxy = proxy
        self._tokens = tokens
        self._sessions = sessions
        self._attempts = attempts

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, Identity]:
        """Return the roles and the identity.

        Raises:
            Refused: the request claims an identity that it does not have.
        """
        identity = self._identity(conn)
        return AuthCredentials(sorted(identity.roles)), identity

    def _identity(self, conn: HTTPConnection) -> Identity:
        self._refuse_token_in_url(conn)
        peer = peer_address(conn)
        named = self._proxy.identify(conn.headers, peer) if self._proxy else None
        token = self._by_token(conn)
        if named and token:
            raise Refused("The request has a token and the header of a proxy. Send one of them.")
        if found := token or named:
            return found
        if self._sessions is not None and (person := self._sessions.identify(conn.session)):
            return person
        is_open = not (self._proxy or self._tokens or self._sessions)
        return LOCAL_READER if is_open and is_loopback(peer) else NOBODY

    def _by_token(self, conn: HTTPConnection) -> Identity | None:
        header = conn.headers.get("authorization", "")
        if not header or (self._tokens is None and not header.lower().startswith(_BEARER)):
            return None
        if not header.lower().startswith(_BEARER):
            raise WrongToken("Send the token as `Authorization: Bearer TOKEN`.")
        if self._tokens is None:
            raise WrongToken(
                "This server accepts no tokens: `serve: {identity: {tokens: {file: …}}}` is not configured."
            )
        address = client_address(conn)
        if self._attempts.is_exhausted(address):
            raise TooManyAttempts("Too many wrong tokens came from your address. Wait, and check the token.")
        try:
            return self._tokens.identify(header[len(_BEARER) :].strip())
        except WrongToken:
            self._attempts.count(address)
            raise

    @staticmethod
    def _refuse_token_in_url(conn: HTTPConnection) -> None:
        """Refuse a token in the URL: logs, histories and proxies keep URLs."""
        if _TOKEN_PARAMETERS & {name.lower() for name in conn.query_params}:
            raise Refused(
                "A token in a URL is refused, because logs keep URLs. Send `Authorization: Bearer TOKEN`, and replace this token."
            )
