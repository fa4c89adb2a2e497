"""Secrets: which names have them, and values, messages and texts without them. The only place that masks.

A value is secret where its model lists its field in `_secrets`, or where its name says so (`is_secret_name`), also as a key
inside a dict.
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

MASK = "***"
CHANGED = " (changed)"
"""What a text says behind two values that look alike because what differs in them is masked."""
SAID_BY_ITSELF = frozenset({"Created successfully", "Updated successfully", "Deleted successfully"})
"""What most objects say of an operation: there is no need to look for secrets in it."""
_SHORT = 4
"""Secrets that are shorter are not looked for in texts: they would be found in any."""
LONGEST = 2000
"""Characters of a payload."""
LONGEST_REASON = 500
"""Characters of a reason."""

_PLAIN = {str, int, bool, type(None)}
"""Of which most values are, and nothing can stand inside."""
_DEEPEST = 6
_MOST_CAUSES = 20
_VALUE = frozenset({"value"})

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[^\W\d_A-Za-z]+")
_ENDS = (
    "password", "passwd", "passphrase", "passcode", "pwd", "psk", "secret", "token", "credential", "authorization",
    "community", "cookie",
)  # fmt: skip
"""A word that ends so is secret: `snmpCommunity`, `accesstoken`."""
_ANYWHERE = {*_ENDS, "credentials"} - {"community"}
"""Words that make a name secret wherever they stand in it: `token_value`, `password_2_hash`."""
_LAST = {"pass", "community", "jwt", "bearer", *(f"{word}s" for word in _ENDS if word != "community")}
"""Words that do so at the end alone: `db_pass`, `tokens`, but neither `pass_count` nor `tokens_per_minute`."""
_KEYS = {
    "api", "private", "priv", "secret", "access", "auth", "authentication", "encryption", "shared", "preshared",
    "signing", "master", "session", "wep", "wpa", "md", "hmac", "tacacs", "radius", "ipsec", "ike", "bgp", "ospf", "isis",
    "ssh", "ssl", "tls", "aes", "des", "rsa", "privacy",
}  # fmt: skip
"""Before the word `key`: `api_key`, `preSharedKey`; a `key`, `sort_key` or `public_key` is none."""
_POINTS_TO = {"file", "path", "dir", "folder", "directory"}
"""At its end, a name says where a secret is."""

_URL_PASSWORD = re.compile(r"""://[^\s/@:"'<>]*:([^\s"'<>]+)@|[?&]([\w.-]+)=([^&#\s"'<>]+)""")
"""Before the host, or among the options."""
_ASSIGNED = re.compile(r"""([\w.-]{2,64})(=|["']\s*:\s*)(["']?)([^\s"',;&\]})]+)""")
"""`name=value`, or `"name": "value"` as JSON and Python write it."""
_HEADER = re.compile(
    r"\b(Bearer|Basic|Token)\s+([A-Za-z0-9._~+/=-]{8,})|\b(X-[\w-]+|Cookie|Set-Cookie):\s*([^\r\n,'\"]+)"
)


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a field, a setting or a key of this name holds something that nobody is to read."""
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


def declared_secrets(*owners: Any) -> frozenset[str]:
    """The fields that models, or what is known of them, declare as secret in `_secrets`."""
    if len(owners) == 1 and type(owners[0]) is frozenset:
        return owners[0]
    return frozenset(name for owner in owners for name in _declared(owner))


def _declared(owner: Any) -> Iterable[str]:
    names = getattr(owner, "_secrets", ())
    if isinstance(names, ModelPrivateAttr):  # of a class that is none of this library's
        names = names.default
    return (names,) if isinstance(names, str) else names if isinstance(names, Collection) else ()


def is_secret(owner: Any, name: str) -> bool:
    """Whether a model, or what is known of it, says that a field is secret, or its name does."""
    return is_secret_name(name) or name in declared_secrets(owner)


def masked(owner: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as JSON has them, secret ones masked, in dicts and lists too.

    Args:
        owner: whose values they are: a model class, an element of a diff, a saved operation, what `declared_secrets`
            tells of several of these, or None.
        values: by the names of the fields.
    """
    return _masked(declared_secrets(owner), values)


def _masked(secrets: frozenset[str], values: Mapping[str, Any]) -> dict[str, Any]:
    hits = _secret_among(secrets, tuple(values))
    return {name: MASK if name in hits else _inside(secrets, value) for name, value in values.items()}


@lru_cache(maxsize=4096)
def _secret_among(secrets: frozenset[str], names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name for name in names if name in secrets or is_secret_name(name))


def _inside(secrets: frozenset[str], value: Any) -> Any:
    if type(value) is str:
        value = value if value.isascii() else readable(value)
        return without_url_passwords(value) if "://" in value else value
    if type(value) in _PLAIN:
        return value
    value = canonical(value)
    if isinstance(value, dict):
        return _masked(secrets | _named_beside(value), value)
    if isinstance(value, list):
        return [_inside(secrets, item) for item in value]
    return value


def _named_beside(values: Mapping[str, Any]) -> frozenset[str]:
    """`value`, where a dict has the name of what it holds beside it: `{"name": "password", "value": ...}`."""
    names = (values.get(key) for key in ("name", "key", "field"))
    return _VALUE if any(isinstance(name, str) and is_secret_name(name) for name in names) else frozenset()


def hidden(owner: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """As `masked`, with what is not secret as it is, and not as JSON has it."""
    secrets = declared_secrets(owner)
    hits = _secret_among(secrets, tuple(values))
    return {
        name: MASK
        if name in hits
        else value
        if type(value) in _PLAIN and (type(value) is not str or "://" not in value)
        else _hidden_inside(secrets, value)
        for name, value in values.items()
    }


def _hidden_inside(secrets: frozenset[str], value: Any) -> Any:
    if type(value) in _PLAIN:
        return without_url_passwords(value) if type(value) is str and "://" in value else value
    if not isinstance(value, Mapping | list | tuple | set | frozenset | BaseModel):
        return value
    if type(value) is list and _PLAIN.issuperset(map(type, value)) and "://" not in str(value):
        return value
    plain, shown = canonical(value), _inside(secrets, value)
    return value if shown == plain else shown


def masked_text(owner: Any, text: str, *groups: Mapping[str, Any] | None) -> str:
    """A text without the secret values that stand in one of these groups of values, and without credentials."""
    secrets = declared_secrets(owner)
    found = {secret for group in groups if group for secret in _secret_texts(secrets, group)}
    for secret in sorted(found, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return without_credentials(text)


def _secret_texts(secrets: frozenset[str], values: Mapping[str, Any]) -> Iterator[str]:
    """The secret values among these, in the forms in which a message may have them."""
    for name, value in values.items():
        if str(name) in secrets or is_secret_name(str(name)):
            for text in _texts_in(value):
                yield from (form for form in _forms(text) if len(form) >= _SHORT)
        elif type(value) not in _PLAIN:
            for part in _mappings_in(value):
                yield from _secret_texts(secrets | _named_beside(part), part)


def _forms(text: str) -> set[str]:
    return {
        text,
        repr(text)[1:-1],
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        quote(text, safe=""),
    }


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, BaseModel):
        value = dict(value)
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _texts_in(item)
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


def masked_id(owner: Any, identifiers: Mapping[str, Any], text: str) -> str:
    """A unique id, or another name made of identifiers, without those that are secret."""
    secrets = declared_secrets(owner)
    hits = _secret_among(secrets, tuple(identifiers))
    if not hits or not any(str(identifiers[name]) in text for name in hits):
        return text if text.isascii() else readable(text)
    if text == "__".join(str(value) for value in identifiers.values()):
        return "__".join(str(value) for value in _masked(secrets, identifiers).values())
    return MASK


def without_credentials(text: str) -> str:
    """A text, readable, without the passwords of the URLs in it, and without what stands under a secret name or in a header."""
    text = without_url_passwords(readable(text))
    if "=" in text or ":" in text:
        text = _ASSIGNED.sub(_assigned_masked, text)
    return _HEADER.sub(_header_masked, text)


def without_url_passwords(text: str) -> str:
    """A text without the passwords of the URLs in it, before the host or among the options."""
    return _URL_PASSWORD.sub(_url_masked, text) if "://" in text or "?" in text else text


def _url_masked(found: re.Match[str]) -> str:
    if found[1] is not None:
        return found[0].replace(f":{found[1]}@", f":{MASK}@")
    return found[0][: -len(found[3])] + MASK if is_secret_name(found[2]) else found[0]


def _assigned_masked(found: re.Match[str]) -> str:
    return found[1] + found[2] + found[3] + MASK if is_secret_name(found[1]) else found[0]


def _header_masked(found: re.Match[str]) -> str:
    if found[1]:
        return f"{found[1]} {MASK}"
    return f"{found[3]}: {MASK}" if is_secret_name(found[3]) else found[0]


def url_passwords(text: str) -> Iterator[str]:
    """The passwords of a URL, as they are written there and as they are."""
    for found in _URL_PASSWORD.finditer(text):
        password = found[1] if found[1] is not None else found[3] if is_secret_name(found[2]) else ""
        if password:
            yield from (password, unquote(password))


def hide_in(error: BaseException, owner: Any, *groups: Mapping[str, Any] | None) -> None:
    """Mask secret values in the texts of an error, in its notes and in those of its causes."""
    for each in _chain(error):
        args = tuple(masked_text(owner, arg, *groups) if isinstance(arg, str) else arg for arg in each.args)
        if args != each.args:
            each.args = args
        notes = getattr(each, "__notes__", None)
        if notes:
            each.__notes__ = [masked_text(owner, note, *groups) for note in notes]


def shows_input(error: BaseException) -> bool:
    """Whether an error, or one of its causes, is pydantic's: its text has the values that do not fit, whatever they are."""
    return any(isinstance(each, ValidationError) for each in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    at: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if at is None:
            return
        yield at
        at = at.__cause__ or at.__context__


def payload_text(payload: Any, owner: Any = None) -> str:
    """The record as JSON, cut at 2,000 characters; what is secret is `***`."""
    if payload is None:
        return ""
    text = json.dumps(_shown(payload, declared_secrets(owner), 0), default=_unknown, ensure_ascii=False)
    return cut(readable(text), LONGEST)


def reason_text(error: BaseException, owner: Any = None, *groups: Mapping[str, Any] | None) -> str:
    """Class and message of an error without secrets; of pydantic's without the values, which may be some."""
    if isinstance(error, ValidationError):
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        told = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
    else:
        told = str(error)
    told = masked_text(owner, told, *groups)
    return cut(f"{type(error).__name__}: {told}" if told else type(error).__name__, LONGEST_REASON)


def cut(text: str, longest: int) -> str:
    """The text, or its beginning and a sign that there is more."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _shown(value: Any, secrets: frozenset[str], depth: int) -> Any:
    if depth > _DEEPEST:
        return "..."
    if isinstance(value, BaseModel):
        secrets |= declared_secrets(type(value))
        value = {name: getattr(value, name) for name in type(value).model_fields if name != "adapter"}
    if isinstance(value, Mapping):
        return {
            str(name): MASK if str(name) in secrets or is_secret_name(str(name)) else _shown(part, secrets, depth + 1)
            for name, part in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(part, secrets, depth + 1) for part in value]
    return without_credentials(value) if isinstance(value, str) else value


def _unknown(value: Any) -> str:
    """What JSON has no form for, as text; pydantic's secrets write themselves as asterisks."""
    return str(value)
