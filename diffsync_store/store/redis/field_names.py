"""Field names of stored objects: Redis holds them once for each model, and one byte in place of each in the objects."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from pydantic_core import from_json, to_json

_CODES = [bytes([code]) for code in range(1, 32) if code != ord("\n")]
"""Bytes that are not in JSON. A line break may stand between two lines of it."""
_SEPARATOR = b"\0"


class FieldNames:
    """The names of the fields in the objects of one model. Threads may share it.

    Args:
        packed: the text before the value of each field, as in Redis.
    """

    def __init__(self, packed: bytes) -> None:
        self.packed = packed
        texts = packed.split(_SEPARATOR) if packed else []
        self._pairs = [(text, code) for text, code in zip(texts, _CODES, strict=False) if text]

    @classmethod
    def of(cls, value: bytes) -> FieldNames:
        """Return the names of the fields of an object."""
        try:
            fields = from_json(value.partition(b"\n")[0])
        except ValueError:
            return cls(b"")
        names = [to_json(name) for name in fields] if isinstance(fields, dict) else []
        texts = [(b"," if number else b"{") + name + b":" for number, name in enumerate(names)]
        return cls(_SEPARATOR.join(texts[: len(_CODES)]))

    def shorten(self, values: Sequence[bytes]) -> list[bytes]:
        """Return JSON texts with a byte in place of each name."""
        text = _SEPARATOR.join(values)
        for name, code in self._pairs:
            text = text.replace(name, code)
        return text.split(_SEPARATOR) if values else []

    def expand(self, values: Sequence[bytes]) -> list[bytes]:
        """Return the JSON texts that were shortened."""
        text = _SEPARATOR.join(values)
        for name, code in self._pairs:
            text = text.replace(code, name)
        expanded = text.split(_SEPARATOR) if values else []
        if len(expanded) != len(values):  # no JSON
            return list(values)
        return expanded


@lru_cache(maxsize=256)
def field_names(packed: bytes) -> FieldNames:
    """Return the names that Redis holds for a model."""
    return FieldNames(packed)
