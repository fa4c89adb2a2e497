"""Declare with a field how its values are compared.

Metadata in `Annotated` defines the normal form of a field's values; two values are equal if their normal forms are equal. The
values themselves do not change: stores, diffs, and the arguments of `create` and `update` have them as loaded.

    class Interface(DiffSyncModel):
        mac: Annotated[str, MACAddress()]
        tags: Annotated[list[str], Unordered()]
        description: Annotated[str | None, EmptyIsNone(), IgnoreCase()]

Several comparisons apply in order. Inside a list, set, tuple or the values of a dict, the metadata applies to each item:
`list[Annotated[str, IgnoreCase()]]`. A value that a comparison cannot handle, such as `None` or an invalid address, is its own
normal form.
"""

from __future__ import annotations

import ipaddress
import json
import re
import types
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal
from typing import Annotated, Any, Union, get_args, get_origin

from diffsync_store.exceptions import DiffException
from diffsync_store.introspection.function_identity import text_of
from diffsync_store.introspection.model_classes import per_class
from diffsync_store.model import DiffSyncModel
from diffsync_store.values.codec import comparable

Normaliser = Callable[[Any], Any]

_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""Any number of digits."""

_SEPARATORS = re.compile(r"[-:. ]")
_MAC_DIGITS = re.compile(r"[0-9a-f]{12}|[0-9a-f]{16}")


class Comparison(ABC):
    """Metadata that defines how a field is compared. Write your own as a frozen dataclass with a method `normal`.

    Threads may share it.
    """

    @abstractmethod
    def normal(self, value: Any) -> Any:
        """Return the normal form of a value, which JSON can hold. Equal values have equal normal forms."""

    def fingerprint(self) -> str:
        """Return text that changes with the code. A store with another fingerprint is compared without digests."""
        if type(self).__module__ == __name__:
            return repr(self)
        return text_of([self, type(self).normal, getattr(self, "__dict__", {})])


@dataclass(frozen=True)
class Unordered(Comparison):
    """Lists with the same items in any order are equal. The number of each item counts."""

    def normal(self, value: Any) -> Any:
        if not isinstance(value, list | tuple | set | frozenset):
            return value
        return sorted(map(comparable, value), key=lambda item: json.dumps(item, sort_keys=True))


@dataclass(frozen=True)
class IgnoreCase(Comparison):
    """Strings that differ only in case are equal."""

    def normal(self, value: Any) -> Any:
        return value.casefold() if isinstance(value, str) else value


@dataclass(frozen=True)
class Precision(Comparison):
    """Numbers that are equal after rounding are equal. Negative places round to tens, hundreds and so on.

    Close numbers may round differently: with one place, 0.14 and 0.16 differ.
    """

    places: int

    def normal(self, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return value
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        if not number.is_finite():
            return value
        rounded = number.quantize(Decimal(1).scaleb(-self.places), ROUND_HALF_EVEN, _EXACT)
        return format(abs(rounded) if rounded == 0 else rounded, "f")


@dataclass(frozen=True)
class IPAddress(Comparison):
    """Addresses, interfaces and prefixes are equal in any notation: `2001:DB8:0::1`, `10.0.0.1 255.255.255.0`.

    Args:
        host_prefix: treat an address and its host prefix as equal: `10.0.0.1` and `10.0.0.1/32`.
    """

    host_prefix: bool = False

    def normal(self, value: Any) -> Any:
        text = "/".join(str(value).split())  # a netmask may follow a space
        try:
            interface = ipaddress.ip_interface(text)
        except ValueError:
            return value
        address, _, prefix = str(interface).partition("/")  # the address includes its zone
        if "/" not in text or (self.host_prefix and int(prefix) == interface.max_prefixlen):
            return address
        return f"{address}/{prefix}"


@dataclass(frozen=True)
class MACAddress(Comparison):
    """MAC addresses of 48 or 64 bits are equal in any notation: `00:1B:44:11:3A:B7`, `0:1b:44:11:3a:b7`, `001b.4411.3ab7`."""

    def normal(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        groups = _SEPARATORS.split(value.strip().lower().removeprefix("0x"))
        are_bytes = len(groups) in {6, 8} and all(len(group) in {1, 2} for group in groups)
        digits = "".join(group.zfill(2) if are_bytes else group for group in groups)
        return digits if _MAC_DIGITS.fullmatch(digits) else value


@dataclass(frozen=True)
class EmptyIsNone(Comparison):
    """`None` and an empty string, list, dict or set are equal; 0 and False are different."""

    def normal(self, value: Any) -> Any:
        return None if isinstance(value, Sized) and not len(value) else value


@dataclass(frozen=True)
class NotCompared(Comparison):
    """All values are equal: the value is passed to `create`, and a difference is never a change."""

    def normal(self, value: Any) -> Any:
        return None


@dataclass(frozen=True)
class By(Comparison):
    """Values are equal if a function returns equal results for them.

    The function receives every value, including `None`, and returns a value that JSON can hold.
    """

    function: Callable[[Any], Any]

    def normal(self, value: Any) -> Any:
        return self.function(value)

    def fingerprint(self) -> str:
        return f"By({text_of(self.function)})"


@per_class
def normalisers(model: type[DiffSyncModel]) -> Mapping[str, Normaliser]:
    """Return the function for the normal form of each attribute with a declared comparison."""
    by_name: dict[str, Normaliser] = {}
    for name in model._attributes:
        field = model.model_fields.get(name)
        if field is None:  # a computed field
            continue
        steps = _of_type(field.annotation)
        steps += [part.normal for part in field.metadata if isinstance(part, Comparison)]
        if steps:
            by_name[name] = _composed(steps)
    return by_name


def normal_forms(obj: DiffSyncModel) -> dict[str, Any]:
    """Return the normal forms of the attributes with a declared comparison.

    Raises:
        DiffException: a comparison raised an exception.
    """
    reported = _reported_normal_forms(type(obj))
    if reported is not None:  # the class is unknown here; its normal forms were stored
        return reported(obj)
    return {name: _normal_form(obj, name, normal) for name, normal in normalisers(type(obj)).items()}


def _normal_form(obj: DiffSyncModel, name: str, normal: Normaliser) -> Any:
    try:
        return normal(getattr(obj, name))
    except Exception as error:  # a function of the user may raise anything
        raise DiffException(
            f"{obj.get_type()} {obj.get_unique_id()!r} cannot be compared by {name}: {type(error).__name__}: {error}. "
            "Write a comparison that accepts every value of the field and returns a value that JSON can hold."
        ) from error


@per_class
def _reported_normal_forms(model: type[DiffSyncModel]) -> Callable[[DiffSyncModel], dict[str, Any]] | None:
    return getattr(model, "reported_normal_forms", None)


def comparison_fingerprints(model: type[DiffSyncModel]) -> dict[str, list[str]]:
    """Return the fingerprints of the comparisons of each attribute that declares any."""
    by_name = {}
    for name in model._attributes:
        field = model.model_fields.get(name)
        if field is None:  # a computed field
            continue
        parts = [*_parts(field.annotation), *field.metadata]
        fingerprints = [part.fingerprint() for part in parts if isinstance(part, Comparison)]
        if fingerprints:
            by_name[name] = fingerprints
    return by_name


def _composed(steps: list[Normaliser]) -> Normaliser:
    def normal(value: Any) -> Any:
        for step in steps:
            value = step(value)
        return comparable(value)

    return normal


def _of_type(annotation: Any) -> list[Normaliser]:
    """Return the steps that the metadata inside a type declares."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return [*_of_type(arguments[0]), *(part.normal for part in arguments[1:] if isinstance(part, Comparison))]
    if origin in (Union, types.UnionType):
        return [step for argument in arguments for step in _of_type(argument)]
    if not isinstance(origin, type):
        return []
    if issubclass(origin, Mapping):
        of_values = _of_type(arguments[1]) if len(arguments) > 1 else []  # a Counter has no argument for its values
        return [_of_values(_composed(of_values))] if of_values else []
    if issubclass(origin, list | tuple | set | frozenset | deque):
        of_items = [step for argument in dict.fromkeys(arguments) for step in _of_type(argument)]
        return [_of_items(_composed(of_items))] if of_items else []
    return []


def _of_items(normal: Normaliser) -> Normaliser:
    def each(value: Any) -> Any:
        if isinstance(value, set | frozenset):
            return sorted({json.dumps(normal(item), sort_keys=True) for item in value})
        return [normal(item) for item in value] if isinstance(value, list | tuple | deque) else value

    return each


def _of_values(normal: Normaliser) -> Normaliser:
    def each(value: Any) -> Any:
        return {key: normal(item) for key, item in value.items()} if isinstance(value, Mapping) else value

    return each


def _parts(annotation: Any) -> list[Any]:
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return [*_parts(arguments[0]), *arguments[1:]]
    return [part for argument in arguments for part in _parts(argument)]
