"""Why Nautobot refuses a token: 403 does not say which right is missing."""

from __future__ import annotations

import re
from collections.abc import Collection

from diffsync_store.adapters.http import HttpError

_FORBIDDEN = 403
_RIGHTS = {"create": ("POST", "add"), "update": ("PUT", "change")}
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


def missing_right(methods: Collection[str], action: str, path: str) -> str:
    """Return the right that a token lacks for the creates or updates of a list; empty if it has it.

    Args:
        methods: the methods that Nautobot offers to the token.
        action: `create`, `update` or `delete`, of which Nautobot says nothing.
        path: the path of the list.
    """
    method, right = _RIGHTS.get(action, ("", ""))
    return (
        f"Give the token's user the permission {permission(right, path)}." if method and method not in methods else ""
    )


def permission(action: str, path: str) -> str:
    """Return the name of the permission for an action on a list, such as `dcim.add_devicetype`."""
    *above, _ = path.strip("/").split("/")
    return f"{above[-1] if above else ''}.{action}_{model_of(path)}"


def model_of(path: str) -> str:
    """Return the model of a list, as Nautobot writes it in one word: `devicetype`."""
    return _singular(path.strip("/").rpartition("/")[2]).replace("-", "")


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
