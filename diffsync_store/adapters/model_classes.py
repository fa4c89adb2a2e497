"""The model classes of one adapter: what is declared, with the models that a subclass of the adapter has itself.

    class MyNautobot(NautobotAdapter):
        class Device(MappedModel):                       # extends the declared model `device`
            _modelname = "device"

            @classmethod
            def create_many(cls, adapter, records): ...

        device = Device

A class of its own without `_identifiers` extends the declared model: its methods and fields come first. One with `_identifiers` takes
the place of the declared model.

Nothing is set on a shared class: two adapters of one class with other mappings do not see each other's models.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from diffsync_store.mapping.models import DeclaredModel

D = TypeVar("D", bound=DeclaredModel)
_OF_INSTANCES = frozenset({"mappers", "models", "name", "store"})
"""Attributes of every ready adapter that its class does not show."""


def bound_models(adapter: type[Any], models: Mapping[str, type[D]], base: type[D]) -> dict[str, type[D]]:
    """Return the models of an adapter's class, by name.

    Raises:
        ValueError: a model has the name of another member of the adapter, or the class's own model does not fit.
    """
    return {name: _bound(adapter, name, model, base) for name, model in models.items()}


def is_taken(adapter: type[Any], name: str) -> bool:
    """Whether an adapter needs a name for something else than a model."""
    own = getattr(adapter, name, None)
    if own is None:  # an instance may have such an attribute
        return name in _OF_INSTANCES or any(name in vars(one).get("__annotations__", ()) for one in adapter.__mro__)
    return not isinstance(own, type) or not hasattr(own, "_identifiers")


def _bound(adapter: type[Any], name: str, model: type[D], base: type[D]) -> type[D]:
    own = getattr(adapter, name, None)
    if own is None and not is_taken(adapter, name):
        return model
    if not isinstance(own, type) or not issubclass(own, base):
        if isinstance(own, type) and hasattr(own, "_identifiers"):
            raise ValueError(
                f"{adapter.__name__}.{name} is not derived from {base.__name__}. Derive it from that class."
            )
        raise ValueError(  # noqa: TRY004  # it is the name that is wrong
            f"A model cannot be called {name!r}: {adapter.__name__} has a member of this name. Rename the model."
        )
    if own._identifiers:
        missing = [field for field in _names(model) if field not in own.model_fields]
        if missing:
            raise ValueError(
                f"{adapter.__name__}.{name} has no field {', '.join(map(repr, missing))}, which is declared."
            )
        return own
    made: type[D] = _made(model.__name__, (own, model), {"_modelname": name})
    return made


def _names(model: type[DeclaredModel]) -> Sequence[str]:
    return [*model._identifiers, *model._attributes]


def model_variant(model: type[D], loaded: Collection[str], left_alone: Mapping[str, str]) -> type[D]:
    """Return the model without the child models that are not loaded, and with the attributes that a sync leaves alone."""
    children = {child: field for child, field in model._children.items() if child in loaded}
    if len(children) == len(model._children) and dict(left_alone) == dict(model._left_alone):
        return model
    made: type[D] = _made(model.__name__, (model,), {"_children": children, "_left_alone": dict(left_alone)})
    return made


def with_models(adapter: type[Any], models: Mapping[str, type[Any]], top_level: Sequence[str]) -> type[Any]:
    """Return a class of the same name that has these models as class variables."""
    members = {"__module__": adapter.__module__, "__doc__": adapter.__doc__, "__qualname__": adapter.__qualname__}
    made: type[Any] = type(adapter.__name__, (adapter,), {**members, **models, "top_level": list(top_level)})
    return made


def _made(name: str, bases: tuple[Any, ...], members: dict[str, Any]) -> Any:
    described = {"__module__": bases[-1].__module__, "__doc__": bases[-1].__doc__}
    metaclass: Any = type(bases[0])
    return metaclass(name, bases, {**described, **members})
