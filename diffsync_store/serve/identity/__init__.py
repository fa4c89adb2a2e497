"""Who uses the page: a proxy's header, an OIDC provider or a token says so, never the person."""

from diffsync_store.serve.identity.guard import (
    UnguardedRoute,
    public,
    require_guards,
    require_role,
    requires_role,
    role_of,
    walk,
)
from diffsync_store.serve.identity.identity import LOCAL_READER, NOBODY, ROLES, Identity

__all__ = [
    "LOCAL_READER",
    "NOBODY",
    "ROLES",
    "Identity",
    "UnguardedRoute",
    "public",
    "require_guards",
    "require_role",
    "requires_role",
    "role_of",
    "walk",
]
