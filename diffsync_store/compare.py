"""How a field's values are compared, said where the field is declared.

Metadata of `Annotated` gives a field a normal form; two values are equal when their normal forms are. The values
themselves stay as they are: in the store, in the diff, and in what a sync hands to `create` and `update`.

    class Interface(DiffSyncModel):
        mac: Annotated[str, MACAddress()]
        tags: Annotated[list[str], Unordered()]
        description: Annotated[str | None, EmptyIsNone(), IgnoreCase()]

Several apply one after the other, in the order in which they stand. Inside a list, a set, a tuple or the values of a dict,
metadata applies to each item: `list[Annotated[str, IgnoreCase()]]`. A value that a comparison has no use for, such as
`None` or an address that is none, is its own normal form.
"""

from __future__ import annotations

import ipaddress
import json
import re
import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from diffsync_store.canonical import canonical
from diffsync_store.exceptions import DiffException
from diffsync_store.functions import text_of

if TYPE_CHECKING:
    from diffsync_store.model import DiffSyncModel

Normaliser = Callable[[Any], Any]

_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""However many digits there are."""


class Comparison(ABC):
    """Metadata that says how a field compares. A subclass of one's own is a frozen dataclass with `normal`."""

    @abstractmethod
    def normal(self, value: Any) -> Any:
        """The normal form of a value: values that count as equal have equal ones, and JSON can hold it."""

    def fingerprint(self) -> str:
        """Text that differs where the normal forms may differ: a store that was loaded by older code is read in full."""
        if type(self).__module__ == __name__:
            return repr(self)
        return text_of([self, type(self).normal, getattr(self, "__dict__", {})])


@dataclass(frozen=True)
class Unordered(Comparison):
    """Lists with the same items are equal in whatever order; how often an item stands in them counts."""

    def normal(self, value: Any) -> Any:
        if not isinstance(value, list | tuple | set | frozenset):
            return value
        return sorted(canonical(list(value)), key=lambda item: json.dumps(item, sort_keys=True))


@dataclass(frozen=True)
class IgnoreCase(Comparison):
    """Strings are equal without regard to case."""

    def normal(self, value: Any) -> Any:
        return value.casefold() if isinstance(value, str) else value


@dataclass(frozen=True)
class Precision(Comparison):
    """Numbers are equal when they round to the same number of decimal places; negative places are tens, hundreds, ...

    Rounding has edges: 0.14 and 0.16 differ at one place, though they are close.
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
    """Addresses, interfaces and prefixes are equal in whatever form: `2001:DB8:0::1`, `10.0.0.1/255.255.255.0`.

    Args:
        host_prefix: an address equals the same address with a prefix for one host, `10.0.0.1` and `10.0.0.1/32`.
    """

    host_prefix: bool = False

    def normal(self, value: Any) -> Any:
        try:
            interface = ipaddress.ip_interface(str(value))
        except ValueError:
            return value
        address, _, prefix = str(interface).partition("/")  # the address with its zone
        if "/" not in str(value) or (self.host_prefix and int(prefix) == interface.max_prefixlen):
            return address
        return f"{address}/{prefix}"


@dataclass(frozen=True)
class MACAddress(Comparison):
    """MAC addresses are equal in whatever form: `00:1B:44:11:3A:B7`, `001b.4411.3ab7`, `00-1b-44-11-3a-b7`."""

    def normal(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        digits = re.sub(r"[-:. ]", "", value).lower()
        return digits if re.fullmatch(r"[0-9a-f]{12}", digits) else value


@dataclass(frozen=True)
class EmptyIsNone(Comparison):
    """`None` equals an empty string, list, dict or set; not 0, not False."""

    def normal(self, value: Any) -> Any:
        return None if isinstance(value, Sized) and not len(value) else value


@dataclass(frozen=True)
class By(Comparison):
    """Values are equal when the function returns equal ones for them.

    The function is given every value, `None` too, and returns what JSON can hold.
    """

    function: Callable[[Any], Any]

    def normal(self, value: Any) -> Any:
        return self.function(value)

    def fingerprint(self) -> str:
        return f"By({text_of(self.function)})"


@lru_cache(maxsize=1024)
def normalisers(model: type[DiffSyncModel]) -> Mapping[str, Normaliser]:
    """For each attribute that says how it compares, what makes its normal form."""
    found: dict[str, Normaliser] = {}
    for name in model._attributes:
        field = model.model_fields[name]
        steps = _of_type(field.annotation)
        steps += [part.normal for part in field.metadata if isinstance(part, Comparison)]
        if steps:
            found[name] = _composed(steps)
    return found


def normal_forms(obj: DiffSyncModel) -> dict[str, Any]:
    """The normal forms of those of the object's attributes that say how they compare.

    Raises:
        DiffException: a comparison cannot make one.
    """
    heard = _heard_by(type(obj))
    if heard is not None:  # the object's own class is not at hand, but has said it
        return heard(obj)
    return {name: _normal_form(obj, name, normal) for name, normal in normalisers(type(obj)).items()}


def _normal_form(obj: DiffSyncModel, name: str, normal: Normaliser) -> Any:
    try:
        return normal(getattr(obj, name))
    except Exception as error:  # whatever a function of one's own raises
        raise DiffException(
            f"{obj.get_type()} {obj.get_unique_id()!r} cannot be compared by {name}: {type(error).__name__}: {error}. "
            "The comparison of the field has to take every value that the field may have, and to give one for JSON."
        ) from error


@lru_cache(maxsize=1024)
def _heard_by(model: type[DiffSyncModel]) -> Callable[[DiffSyncModel], dict[str, Any]] | None:
    return getattr(model, "heard_normal_forms", None)


def comparison_fingerprints(model: type[DiffSyncModel]) -> dict[str, list[str]]:
    """For each attribute that says how it compares, what it says."""
    found = {}
    for name in model._attributes:
        field = model.model_fields[name]
        parts = [*_parts(field.annotation), *field.metadata]
        told = [part.fingerprint() for part in parts if isinstance(part, Comparison)]
        if told:
            found[name] = told
    return found


def _composed(steps: list[Normaliser]) -> Normaliser:
    def normal(value: Any) -> Any:
        for step in steps:
            value = step(value)
        return canonical(value)

    return normal


def _of_type(annotation: Any) -> list[Normaliser]:
    """What the metadata inside of a type asks for."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return [*_of_type(arguments[0]), *(part.normal for part in arguments[1:] if isinstance(part, Comparison))]
    if origin in (Union, types.UnionType):
        return [step for argument in arguments for step in _of_type(argument)]
    if not isinstance(origin, type):
        return []
    if issubclass(origin, dict):
        of_values = _of_type(arguments[1])
        return [_of_values(_composed(of_values))] if of_values else []
    if issubclass(origin, list | tuple | set | frozenset):
        of_items = [step for argument in dict.fromkeys(arguments) for step in _of_type(argument)]
        return [_of_items(_composed(of_items))] if of_items else []
    return []


def _of_items(normal: Normaliser) -> Normaliser:
    def each(value: Any) -> Any:
        if isinstance(value, set | frozenset):
            return canonical({json.dumps(normal(item), sort_keys=True) for item in value})
        return [normal(item) for item in value] if isinstance(value, list | tuple) else value

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
