"""Which shards a load consists of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from diffsync_store.store.load_report import ObjectKey

MAX_SHARDS = 500
_MAX_NAME = 128


class ShardPlan(BaseModel):
    """The shards of one load. All that load a shard of it give the same plan."""

    model_config = ConfigDict(frozen=True)

    names: tuple[str, ...]
    """In the order in which their objects are in the store."""
    below: dict[str, tuple[ObjectKey, ...]] = {}
    """By name of a shard: the objects below which all its records are."""
    load: str = ""
    """Name of the load."""
    models: tuple[str, ...] = ()
    """The models of the adapter that began the load."""

    def same_load(self, other: ShardPlan) -> bool:
        """Whether both are plans of one load."""
        return (self.names, self.load) == (other.names, other.load)


def make_plan(
    of: Iterable[str] | Mapping[str, Any],
    load: str,
    key_of: Callable[[Any], ObjectKey | None],
    models: Iterable[str] = (),
) -> ShardPlan:
    """Return the plan of a load.

    Args:
        of: the names of all shards; as a mapping, also the object, or the objects, below which the records of each shard are.
        load: name of the load.
        key_of: returns model and unique id of such an object.
        models: the models of the adapter.

    Raises:
        ValueError: a name is not valid.
        TypeError: `of` is one text.
    """
    if isinstance(of, str):
        raise TypeError(f"`of` must be the names of all shards, such as ({of!r}, ...), not one text.")
    names = tuple(of)
    if not names:
        raise ValueError("A load in shards needs the names of all its shards: loading(shard=..., of=(...)).")
    if len(names) > MAX_SHARDS:
        raise ValueError(f"A load has at most {MAX_SHARDS} shards, not {len(names)}. Put several parts into one shard.")
    for name in names:
        check_name(name, "The name of a shard")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"The shard {twice!r} is declared twice. Give each shard a name of its own.")
    if load:
        check_name(load, "The name of a load")
    places = {name: _keys(value, key_of) for name, value in of.items()} if isinstance(of, Mapping) else {}
    below = {name: keys for name, keys in places.items() if keys}
    return ShardPlan(names=names, below=below, load=load, models=tuple(models))


def check_name(name: Any, what: str) -> None:
    """Check the name of a shard or a load.

    Raises:
        ValueError: it is not 1 to 128 printable characters.
    """
    if not isinstance(name, str) or not name.strip() or len(name) > _MAX_NAME or not name.isprintable():
        text = repr(name) if len(repr(name)) < 160 else f"{repr(name)[:157]}..."
        raise ValueError(f"{what} must be a text of 1 to {_MAX_NAME} printable characters, not {text}.")


def _keys(value: Any, key_of: Callable[[Any], ObjectKey | None]) -> tuple[ObjectKey, ...]:
    is_one = value is None or hasattr(value, "get_unique_id") or _is_pair(value)
    keys = map(key_of, [value] if is_one else value)
    return tuple(key for key in keys if key is not None)


def _is_pair(value: Any) -> bool:
    """Whether a value is a model and a unique id, not two objects or two such pairs."""
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and (isinstance(value[0], str) or (isinstance(value[0], type) and hasattr(value[0], "get_type")))
    )


def sealed_text(store: str, load: str) -> str:
    """Return the message about a shard that comes after its load was sealed."""
    return (
        f"The load {load!r} of store {store} is sealed already. Nothing was removed. To load again, give the load another name: "
        "loading(shard=..., load=...)."
    )
