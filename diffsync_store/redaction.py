"""Redact secrets in values, messages and texts. No other module does.

A value is secret if its model lists the field in `_secrets`, or if the name of the field or dict key is a secret name
(`is_secret_name`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any
from urllib.parse import quote, unquote

from pydantic import BaseModel, ValidationError
from pydantic.fields import ModelPrivateAttr

from diffsync_store.values.readable import canonical, readable

REDACTED = "***"
CHANGED_SUFFIX = " (changed)"
"""Marks a change whose old and new value look the same because they are redacted."""
STANDARD_MESSAGES = frozenset({"Created successfully", "Updated successfully", "Deleted successfully"})
"""Messages that most operations set. They hold no secrets, so they are not searched."""
_MIN_SECRET = 4
"""Shorter secrets are not searched for in texts: they would match everywhere."""
MAX_PAYLOAD = 2000
"""Maximum characters of a payload."""
MAX_REASON = 500
"""Maximum characters of a reason."""

_PLAIN = {str, int, bool, type(None)}
"""Types without nested values; most values have one of them."""
_MAX_DEPTH = 6
_MAX_CAUSES = 20
_VALUE = frozenset({"value"})

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[^\W\d_A-Za-z]+")
_ENDS = (
    "password", "passwd", "passphrase", "passcode", "pwd", "psk", "secret", "token", "credential", "authorization",
    "community", "cookie",
)  # fmt: skip
"""Endings of a secret last word: `snmpCommunity`, `accesstoken`."""
_ANYWHERE = {*_ENDS, "credentials"} - {"community"}
"""Words that make a name secret at any position: `token_value`, `password_2_hash`."""
_LAST = {"pass", "community", "jwt", "bearer", *(f"{word}s" for word in _ENDS if word != "community")}
"""Words that make a name secret only at its end: `db_pass`, `tokens`; not `pass_count`, `tokens_per_minute`."""
_KEYS = {
    "api", "private", "priv", "secret", "access", "auth", "authentication", "encryption", "shared", "preshared",
    "signing", "master", "session", "wep", "wpa", "md", "hmac", "tacacs", "radius", "ipsec", "ike", "bgp", "ospf", "isis",
    "ssh", "ssl", "tls", "aes", "des", "rsa", "privacy",
}  # fmt: skip
"""Words that make a following `key` secret: `api_key`, `preSharedKey`; not `key`, `sort_key`, `public_key`."""
_POINTS_TO = {"file", "path", "dir", "folder", "directory"}
"""Last words of a name that holds the location of a secret, not the secret."""

_URL_PASSWORD = re.compile(r"""://[^\s/@:"'<>]*:([^\s"'<>]+)@|[?&]([\w.-]+)=([^&#\s"'<>]+)""")
"""The password before the host, or a parameter of the query."""
_ASSIGNED = re.compile(r"""([\w.-]{2,64})(=|["']\s*:\s*)(["']?)([^\s"',;&\]})]+)""")
"""`name=value`, or `"name": "value"` in JSON or Python notation."""
_HEADER = re.compile(
    r"\b(Bearer|Basic|Token)\s+([A-Za-z0-9._~+/=-]{8,})|\b(X-[\w-]+|Cookie|Set-Cookie):\s*([^\r\n,'\"]+)"
)


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a field, setting or key with this name holds a secret."""
    words = [word.lower() for word in _WORD.findall(name)]
    words += [first + second for first, second in pairwise(words) if first == "pass"][:1]  # pass_word, passPhrase
    if not words or words[-1] in _POINTS_TO:
        return False
    if words[-1] in _LAST or words[-2:] == ["community", "string"]:
        return True
    if any(word in _ANYWHERE or word.endswith(_ENDS) for word in words[:-1] if word != "community"):
        return True
    return words[-1].endswith(_ENDS) or _names_a_key(words)


def _names_a_key(words: list[str]) -> bool:
    for before, word in zip(["", *words], [*words, ""], strict=True):
        if word in {"key", "keys"} and before in _KEYS:
            return True
        if word.endswith("key") and word.removesuffix("key") in _KEYS:
            return True
    return False


def secret_fields(*owners: Any) -> frozenset[str]:
    """Return the fields that models, diff elements or operations declare in `_secrets`."""
    if len(owners) == 1 and type(owners[0]) is frozenset:
        return owners[0]
    return frozenset(name for owner in owners for name in _declared(owner))


def _declared(owner: Any) -> Iterable[str]:
    names = getattr(owner, "_secrets", ())
    if isinstance(names, ModelPrivateAttr):  # the owner is another pydantic model
        names = names.default
    return (names,) if isinstance(names, str) else names if isinstance(names, Collection) else ()


def redact_values(owner: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values in JSON form with secrets redacted, nested ones included.

    Args:
        owner: a model class, a diff element, a saved operation, a result of `secret_fields`, or None.
        values: values by field name.
    """
    return _redacted(secret_fields(owner), values)


def _redacted(secrets: frozenset[str], values: Mapping[str, Any]) -> dict[str, Any]:
    hits = _secret_names(secrets, tuple(values))
    return {name: REDACTED if name in hits else _inside(secrets, value) for name, value in values.items()}


@lru_cache(maxsize=4096)
def _secret_names(secrets: frozenset[str], names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name for name in names if name in secrets or is_secret_name(name))


def _inside(secrets: frozenset[str], value: Any) -> Any:
    if type(value) is str:
        value = value if value.isascii() else readable(value)
        return redact_url_passwords(value) if "://" in value else value
    if type(value) in _PLAIN:
        return value
    value = canonical(value)
    if isinstance(value, dict):
        return _redacted(secrets | _named_by_sibling(value), value)
    if isinstance(value, list):
        return [_inside(secrets, item) for item in value]
    return value


def _named_by_sibling(values: Mapping[str, Any]) -> frozenset[str]:
    """Return `value` as secret for a dict such as `{"name": "password", "value": ...}`."""
    names = (values.get(key) for key in ("name", "key", "field"))
    return _VALUE if any(isinstance(name, str) and is_secret_name(name) for name in names) else frozenset()


def redact_fields(owner: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with secrets redacted. Unlike in `redact_values`, other values keep their type."""
    secrets = secret_fields(owner)
    hits = _secret_names(secrets, tuple(values))
    return {
        name: REDACTED
        if name in hits
        else value
        if type(value) in _PLAIN and (type(value) is not str or "://" not in value)
        else _with_type(secrets, value)
        for name, value in values.items()
    }


def _with_type(secrets: frozenset[str], value: Any) -> Any:
    if type(value) in _PLAIN:
        return redact_url_passwords(value) if type(value) is str and "://" in value else value
    if not isinstance(value, Mapping | list | tuple | set | frozenset | BaseModel):
        return value
    if type(value) is list and _PLAIN.issuperset(map(type, value)) and "://" not in str(value):
        return value
    plain, redacted = canonical(value), _inside(secrets, value)
    return value if redacted == plain else redacted


def redact_text(owner: Any, text: str, *groups: Mapping[str, Any] | None) -> str:
    """Redact credentials and the secret values of these groups of values in a text."""
    secrets = secret_fields(owner)
    found = {secret for group in groups if group for secret in _secrets_in(secrets, group)}
    for secret in sorted(found, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return redact_credentials(text)


def _secrets_in(secrets: frozenset[str], values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the secret values in every notation that a message may contain."""
    for name, value in values.items():
        if str(name) in secrets or is_secret_name(str(name)):
            for text in texts_in(value):
                yield from (form for form in notations(text) if len(form) >= _MIN_SECRET)
        elif type(value) not in _PLAIN:
            for part in _mappings_in(value):
                yield from _secrets_in(secrets | _named_by_sibling(part), part)


def notations(text: str) -> set[str]:
    """Return a text in every notation that a message may contain: as it is, escaped, in JSON, in a URL."""
    return {
        text,
        repr(text)[1:-1],
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        quote(text, safe=""),
    }


def texts_in(value: Any) -> Iterator[str]:
    """Yield the texts in a value of any depth; numbers as text."""
    if isinstance(value, BaseModel):
        value = dict(value)
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from texts_in(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _mappings_in(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, BaseModel):
        value = dict(value)
    if isinstance(value, Mapping):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _mappings_in(item)


def redact_id(owner: Any, identifiers: Mapping[str, Any], text: str) -> str:
    """Redact secret identifiers in a unique id or another name made of identifiers."""
    secrets = secret_fields(owner)
    hits = _secret_names(secrets, tuple(identifiers))
    if not hits or not any(str(identifiers[name]) in text for name in hits):
        return text if text.isascii() else readable(text)
    if text == "__".join(str(value) for value in identifiers.values()):
        return "__".join(str(value) for value in _redacted(secrets, identifiers).values())
    return REDACTED


def redact_credentials(text: str) -> str:
    """Return a printable text with passwords of URLs, values of secret names and authorization headers redacted."""
    text = redact_url_passwords(readable(text))
    if "=" in text or ":" in text:
        text = _ASSIGNED.sub(_redacted_assignment, text)
    return _HEADER.sub(_redacted_header, text)


def redact_url_passwords(text: str) -> str:
    """Redact the passwords of URLs in a text, before the host and in the query."""
    return _URL_PASSWORD.sub(_redacted_url, text) if "://" in text or "?" in text else text


def _redacted_url(found: re.Match[str]) -> str:
    if found[1] is not None:
        return found[0].replace(f":{found[1]}@", f":{REDACTED}@")
    return found[0][: -len(found[3])] + REDACTED if is_secret_name(found[2]) else found[0]


def _redacted_assignment(found: re.Match[str]) -> str:
    return found[1] + found[2] + found[3] + REDACTED if is_secret_name(found[1]) else found[0]


def _redacted_header(found: re.Match[str]) -> str:
    if found[1]:
        return f"{found[1]} {REDACTED}"
    return f"{found[3]}: {REDACTED}" if is_secret_name(found[3]) else found[0]


def url_passwords(text: str) -> Iterator[str]:
    """Yield the passwords of URLs in a text, quoted as written and unquoted."""
    for found in _URL_PASSWORD.finditer(text):
        password = found[1] if found[1] is not None else found[3] if is_secret_name(found[2]) else ""
        if password:
            yield from (password, unquote(password))


def redact_error(error: BaseException, owner: Any, *groups: Mapping[str, Any] | None) -> None:
    """Redact secrets in the messages and notes of an error and of its causes, in place."""
    for each in _chain(error):
        args = tuple(redact_text(owner, arg, *groups) if isinstance(arg, str) else arg for arg in each.args)
        if args != each.args:
            each.args = args
        notes = getattr(each, "__notes__", None)
        if notes:
            each.__notes__ = [redact_text(owner, note, *groups) for note in notes]


def contains_input(error: BaseException) -> bool:
    """Whether an error or a cause is a pydantic `ValidationError`, whose message quotes the invalid input."""
    return any(isinstance(each, ValidationError) for each in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__


def format_payload(payload: Any, owner: Any = None) -> str:
    """Return a record as JSON of at most 2,000 characters, with secrets redacted."""
    if payload is None:
        return ""
    text = json.dumps(_printable(payload, secret_fields(owner), 0), default=_as_text, ensure_ascii=False)
    return truncate(readable(text), MAX_PAYLOAD)


def format_reason(error: BaseException, owner: Any = None, *groups: Mapping[str, Any] | None) -> str:
    """Return class and message of an error without secrets; of a `ValidationError` without its input values."""
    if isinstance(error, ValidationError):
        details = error.errors(include_input=False, include_url=False, include_context=False)
        message = "; ".join(f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in details)
    else:
        message = str(error)
    message = redact_text(owner, message, *groups)
    return truncate(f"{type(error).__name__}: {message}" if message else type(error).__name__, MAX_REASON)


def truncate(text: str, limit: int) -> str:
    """Return at most `limit` characters; `...` marks a cut."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _printable(value: Any, secrets: frozenset[str], depth: int) -> Any:
    if depth > _MAX_DEPTH:
        return "..."
    if isinstance(value, BaseModel):
        secrets |= secret_fields(type(value))
        value = {name: getattr(value, name) for name in type(value).model_fields if name != "adapter"}
    if isinstance(value, Mapping):
        return {
            str(name): REDACTED
            if str(name) in secrets or is_secret_name(str(name))
            else _printable(part, secrets, depth + 1)
            for name, part in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_printable(part, secrets, depth + 1) for part in value]
    return redact_credentials(value) if isinstance(value, str) else value


def _as_text(value: Any) -> str:
    """Return a value without a JSON form as text. Pydantic's secret types print asterisks."""
    return str(value)
