"""Load the shards of a ready adapter, each with an adapter and a store of its own, as runs on different workers do."""

from collections.abc import Callable
from typing import Any

from diffsync_store import Adapter, LocalStore
from diffsync_store.lifecycle import opened

Content = dict[str, dict[str, Any]]
Make = Callable[[], Adapter]


def loaded_shards(make: Make, names: list[str] | None = None) -> dict[str, Adapter]:
    """Return an adapter for each shard; by default of the shards that the adapter finds."""
    adapter = make()
    with opened(adapter):
        names = names or list(adapter.shards())
    shards: dict[str, Adapter] = {}
    for name in names:
        shards[name] = make()
        shards[name].store = LocalStore(adapter=shards[name])
        with opened(shards[name]), shards[name].store.loading():
            shards[name].load_shard(name, names)
    return shards


def content(adapter: Adapter) -> Content:
    return {model: dict(found) for model, found in adapter.dict().items()}


def require_same_as_whole(make: Make, names: list[str] | None = None) -> dict[str, Adapter]:
    """Check that the shards together have each record of a load as a whole, once."""
    whole = make()
    with opened(whole), whole.store.loading():
        whole.load()
    shards = loaded_shards(make, names)
    together: Content = {}
    for shard in shards.values():
        for model, found in content(shard).items():
            known = together.setdefault(model, {})
            assert not known.keys() & found.keys()
            known |= found
    assert together == content(whole)
    return shards


def gaps(adapter: Adapter) -> dict[str, str]:
    return {model: str(gap) for model, gap in adapter.store.record().gaps.items()}
