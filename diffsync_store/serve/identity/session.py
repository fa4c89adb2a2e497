"""The session of a person: a signed cookie that scripts cannot read."""

import secrets
import time
from collections.abc import Callable, MutableMapping
from threading import Lock
from typing import Any

from diffsync_store.serve.identity.identity import Identity
from diffsync_store.serve.identity.roles import RoleRules

Session = MutableMapping[str, Any]
COOKIE = "diffsync-session"
SECURE_COOKIE = f"__Host-{COOKIE}"
"""Name of the cookie behind https: browsers accept it from this host only."""
_ID, _NAME, _GROUPS, _EXPIRES = "id", "name", "groups", "expires"
_MAX_GROUPS = 50
_MAX_ENDED = 100_000


class Sessions:
    """Begin, read and end sessions. Threads may share it.

    A session is in the cookie. The server only remembers those that were ended before they expired.

    Args:
        rules: which groups have which roles, as the file says now.
        lifetime: seconds after the sign-in at which a session expires; using it does not prolong it.
        clock: the seconds since 1970.
    """

    def __init__(self, rules: RoleRules, lifetime: int, clock: Callable[[], float] = time.time) -> None:
        self._rules = rules
        self._lifetime = lifetime
        self._clock = clock
        self._ended: dict[str, float] = {}
        self._lock = Lock()

    def begin(self, session: Session, name: str, groups: list[str]) -> None:
        """Sign a person in. Nothing of the session before is kept, so that nobody can prepare one for another person."""
        session.clear()
        session[_ID] = secrets.token_urlsafe(24)
        session[_NAME] = name
        session[_GROUPS] = self._rules.mentioned(groups)[:_MAX_GROUPS]
        session[_EXPIRES] = self._clock() + self._lifetime

    def identify(self, session: Session) -> Identity | None:
        """Return who has signed in; None if nobody has, or the session has ended."""
        session_id, name, groups, expires = (session.get(key) for key in (_ID, _NAME, _GROUPS, _EXPIRES))
        if not isinstance(name, str) or not isinstance(session_id, str) or not isinstance(expires, int | float):
            return None
        if self._clock() >= expires or self._has_ended(session_id):
            return None
        return Identity(name, self._rules.roles(name, groups or []), "oidc")

    def end(self, session: Session) -> None:
        """Sign a person out: a copy of the cookie is of no use any more."""
        session_id, expires = session.get(_ID), session.get(_EXPIRES)
        if isinstance(session_id, str) and isinstance(expires, int | float):
            with self._lock:
                now = self._clock()
                self._ended = {key: until for key, until in self._ended.items() if until > now}
                while len(self._ended) >= _MAX_ENDED:
                    self._ended.pop(next(iter(self._ended)))
                self._ended[session_id] = expires
        session.clear()

    def _has_ended(self, session_id: str) -> bool:
        with self._lock:
            return session_id in self._ended
