"""Remove the secrets of a record from the reason why a system refused it, also a part of one.

A database or an API may cut the value that it quotes, and a reason is cut too. What is left of a long secret is no longer equal to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from diffsync_store.mapping.models import DeclaredModel
from diffsync_store.mapping.paths import keys_of
from diffsync_store.mapping.records import Mapper, mapped_fields
from diffsync_store.redaction import REDACTED, is_secret_name, notations, secret_fields, texts_in

_SHORTEST = 4
"""Characters of a secret that is removed."""
_SHORTEST_PART = 8
"""Characters of the beginning of a secret, or of one line of it, that are removed."""


def secret_names(model: type[DeclaredModel]) -> frozenset[str]:
    """Return the fields of a model that are secret: those that it declares, and those with a secret name."""
    return secret_fields(model) | {name for name in mapped_fields(model) if is_secret_name(name)}


def secret_keys(mapper: Mapper) -> frozenset[str]:
    """Return the keys under which a system gets the secret fields of a model; of a path, the last one."""
    return frozenset(_key_of(mapper, name) for name in secret_names(mapper.model))


def _key_of(mapper: Mapper, name: str) -> str:
    field = mapper.mapping.fields.get(name)
    return keys_of((field.write_path if field is not None else None) or name)[-1]


def secrets_of(mapper: Mapper, fields: Any, sent: Any = None) -> set[str]:
    """Return the secret texts of a record, as the model has them and as they are sent.

    Args:
        mapper: the mapper of its model.
        fields: the fields of a record, or of several.
        sent: what the system gets: a payload or a `Change`, or several.
    """
    return {*_secrets_in(secret_names(mapper.model), fields), *_secrets_in(secret_keys(mapper), sent)}


def _secrets_in(names: Collection[str], values: Any) -> Iterator[str]:
    """Yield the texts under these names, and under secret names, in values of any depth."""
    if isinstance(values, BaseModel):
        values = dict(values)
    if isinstance(values, Mapping):
        for name, value in values.items():
            is_secret = str(name) in names or is_secret_name(str(name))
            yield from texts_in(value) if is_secret else _secrets_in(names, value)
    elif isinstance(values, list | tuple | set | frozenset):
        for item in values:
            yield from _secrets_in(names, item)


def without(secrets: Iterable[str], text: str) -> str:
    """Return a text without these secrets, their lines, and the beginnings of both."""
    found = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
    for form in found:
        text = text.replace(form, REDACTED)
    for form in found:
        if len(form) > _SHORTEST_PART:
            text = _without_beginning(form, text)
    return text


def redact_refusal(error: BaseException, secrets: Collection[str]) -> None:
    """Remove secrets from the message of an error, in place."""
    if not secrets:
        return
    error.args = tuple(without(secrets, arg) if isinstance(arg, str) else arg for arg in error.args)


def _without_beginning(secret: str, text: str) -> str:
    begin = secret[:_SHORTEST_PART]
    while (start := text.find(begin)) >= 0:
        end = len(begin)
        while text[start + end : start + end + 1] == secret[end : end + 1] != "":
            end += 1
        text = f"{text[:start]}{REDACTED}{text[start + end :]}"
    return text


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret in every notation that a message may contain, and each of its lines."""
    for form in notations(secret):
        if len(form) >= _SHORTEST:
            yield form
    yield from (stripped for line in secret.splitlines() if len(stripped := line.strip()) >= _SHORTEST_PART)
