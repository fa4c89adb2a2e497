"""Records, values and texts that may be kept and shown: secrets masked, long ones cut."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError

from diffsync_store.canonical import canonical

MASK = "***"
_SHORT = 4
"""Secrets that are shorter are not looked for in texts: they would be found in any."""
LONGEST = 2000
"""Characters of a payload."""
LONGEST_REASON = 500
"""Characters of a reason."""

_PLAIN = {str, int, bool, type(None)}
"""Of which most values are, and nothing can stand inside."""
_DEEPEST = 6
_SECRETS = ("password", "passwd", "secret", "token", "apikey", "privatekey", "credential", "authorization", "community")
"""Parts of the names, without `_` and `-`, of fields whose values nobody is to read."""


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds something that nobody is to read."""
    plain = name.lower().replace("_", "").replace("-", "").replace(" ", "")
    return any(part in plain for part in _SECRETS)


@lru_cache(maxsize=4096)
def is_secret(model: Any, name: str) -> bool:
    """Whether a model says that a field is secret, or its name does."""
    return name in getattr(model, "_secrets", ()) or is_secret_name(name)


def masked(model: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as JSON has them, secret ones masked, in dicts and lists too."""
    return {name: MASK if is_secret(model, name) else _inside(model, value) for name, value in values.items()}


def _inside(model: Any, value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    value = canonical(value)
    if isinstance(value, dict):
        return masked(model, value)
    if isinstance(value, list):
        return [_inside(model, item) for item in value]
    return value


def masked_text(model: Any, text: str, *groups: Mapping[str, Any] | None) -> str:
    """A text without the secret values that stand in one of these groups of values."""
    for group in groups:
        for name, value in (group or {}).items():
            if is_secret(model, name) and len(str(value)) >= _SHORT:
                text = text.replace(str(value), MASK)
    return text


def payload_text(payload: Any) -> str:
    """The record as JSON, cut at 2,000 characters; what stands under the name of a secret is `***`."""
    if payload is None:
        return ""
    return cut(json.dumps(_shown(payload, 0), default=_unknown, ensure_ascii=False), LONGEST)


def reason_text(error: BaseException) -> str:
    """Class and message of an error; of pydantic's without the values, which may be secrets."""
    if isinstance(error, ValidationError):
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        told = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
    else:
        told = str(error)
    return cut(f"{type(error).__name__}: {told}" if told else type(error).__name__, LONGEST_REASON)


def cut(text: str, longest: int) -> str:
    """The text, or its beginning and a sign that there is more."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _shown(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        return "..."
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields if name != "adapter"}
    if isinstance(value, Mapping):
        return {
            str(name): MASK if is_secret_name(str(name)) else _shown(part, depth + 1) for name, part in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(part, depth + 1) for part in value]
    return value


def _unknown(value: Any) -> str:
    """What JSON has no form for, as text; pydantic's secrets write themselves as asterisks."""
    return str(value)
