"""Why Nautobot refuses a token: 403 does not say which right is missing."""

from __future__ import annotations

import re

from diffsync_store.adapters.http import HttpError

_FORBIDDEN = 403
_PLURALS = ((r"ies$", "y"), (r"(ss|us|x|ch|sh)es$", r"\1"), (r"(?<![su])s$", ""))


def is_forbidden(error: HttpError) -> bool:
    """True if Nautobot refuses the token, or what it may do."""
    return bool(error.response.status_code == _FORBIDDEN)


def explain(error: HttpError, action: str, path: str) -> HttpError:
    """Return the error with the right that the token needs.

    Args:
        error: the refusal.
        action: `view`, `add`, `change` or `delete`.
        path: the path of the list.
    """
    if is_forbidden(error):
        error.args = (f"{str(error).rstrip('.')}. {_remedy(error, action, path)}",)
    return error


def permission(action: str, path: str) -> str:
    """Return the name of the permission for an action on a list, such as `dcim.add_devicetype`."""
    *above, name = path.strip("/").split("/")
    return f"{above[-1] if above else ''}.{action}_{_singular(name).replace('-', '')}"


def _remedy(error: HttpError, action: str, path: str) -> str:
    details = str(error.details).lower()
    if "token" in details or "credentials" in details:
        return "Correct `token`: it must be an active token of a user of this Nautobot."
    return f"Give the token's user the permission {permission(action, path)}."


def _singular(name: str) -> str:
    for pattern, replacement in _PLURALS:
        if re.search(pattern, name):
            return re.sub(pattern, replacement, name)
    return name
