"""Whose leases there are: the targets that a Redis knows of, and those that somebody holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from diffsync_store.cli.suggestions import meant
from diffsync_store.diffs.repository import RedisDiffs
from diffsync_store.store.redis.catalog import RedisStores
from diffsync_store.store.redis.leases import Holder, RedisLeases, in_a_command, target_lease

Where = Mapping[str, Any]
"""The URL of a Redis, and a namespace in it, by the names of the arguments that take them."""


def known_targets(where: Where) -> list[str]:
    """Names of the adapters that a store or a saved diff is of."""
    with closing(RedisStores(**where)) as stores, closing(RedisDiffs(**where)) as diffs:
        names = {record.name for record in stores.list()}
        for record in diffs.list():
            names |= {record.source_name, record.target_name}
    return sorted(names - {""})


def known_stores(where: Where) -> list[str]:
    """The store_ids of the stores."""
    with closing(RedisStores(**where)) as stores:
        return [record.store_id for record in stores.list()]


def known_diffs(where: Where) -> list[str]:
    """The diff_ids of the saved diffs."""
    with closing(RedisDiffs(**where)) as diffs:
        return [record.diff_id for record in diffs.list()]


def leases_held(where: Where) -> Iterator[tuple[str, Holder]]:
    """The leases on the targets and the stores that are known here, each as the commands name it."""
    with closing(RedisStores(**where)) as stores, closing(RedisLeases(**where)) as leases:
        names = [*map(target_lease, known_targets(where)), *(record.store_id for record in stores.list())]
        for name, holder in leases.held(names):
            yield in_a_command(name), holder


def lease_of_target(where: Where, word: str) -> str:
    """The name of the lease that a word means: an adapter's name, or, where no adapter is called so, the lease's own."""
    named = [target for target in known_targets(where) if word in {target, target_lease(target)}] if "-" in word else []
    return target_lease(word if word in named or not named else named[0])


def told_unheld(where: Where, what: str) -> str:
    """A message that nobody holds a lease, with the leases that there are."""
    held = [name for name, _ in leases_held(where)]
    now = f"Current leases: {', '.join(held)}." if held else "No known target has a lease."
    return f"Nobody holds the lease of {what}{meant([what], held)}. {now}"


def told_unknown(where: Where, target: str, *, is_store: bool = False) -> str:
    """That nothing here is of a target, or that there is no such store; empty where there is."""
    known = known_stores(where) if is_store else known_targets(where)
    if target in known:
        return ""
    guess = meant([target], known)
    if is_store:
        return f"There is no store {target!r} here{guess}. `diffsync-store stores` lists them."
    names = f"known are {', '.join(known)}" if known else "nothing was loaded here yet"
    return f"No store and no saved diff here is of an adapter {target!r}: see that the name is right; {names}{guess}."
