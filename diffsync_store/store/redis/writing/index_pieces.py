"""The index of a shard, in pieces that one call each writes to Redis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Literal

from diffsync_store.store.index.built_index import BuiltIndex, BuiltModel
from diffsync_store.store.index.format import Totals, fold
from diffsync_store.store.redis.connection import translated_errors
from diffsync_store.store.redis.keys import StoreKeys
from diffsync_store.store.redis.scripts import store as scripts
from diffsync_store.store.redis.scripts.pipeline import LOST, Pipeline, answers_of

_SIZE = 500_000
"""Bytes of a piece of sums."""
_PAIRS = 2000
"""Pairs in a piece of a hash."""

Part = Literal["index", "edges", "sums", "nodes", "totals"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of one key of an index."""

    part: Part
    model: str
    number: int
    """Number of the shard, or level of the sums."""
    items: list[int | str | bytes]
    """Fields and values of a hash; offsets and bytes of a string."""

    @property
    def kind(self) -> str:
        """The type of the key."""
        return "string" if self.part == "sums" else "hash"

    def key_of(self, keys: StoreKeys) -> str:
        """Return the key."""
        if self.part == "nodes":
            return keys.nodes(self.model)
        if self.part == "totals":
            return keys.totals(self.model)
        key: str = getattr(keys, self.part)(self.number, self.model)
        return key


@dataclass(frozen=True, slots=True)
class Put:
    """A call that writes a part of a key of the index."""

    keys: StoreKeys
    key: str
    writer: Sequence[Any]
    """Token, generation, number of the shard, and claim in ms."""
    model: str
    kind: str
    """The type of the key."""
    items: Sequence[Any]
    """Fields and values of a hash; offsets and bytes of a string."""

    def run(self, client: Any) -> Any:
        """Run the call and return its answer."""
        return scripts.INDEX(client, self._keys(), [*self._facts(), self.kind, *self.items])

    def send(self, client: Any, pipe: Pipeline, *, in_transaction: bool) -> None:
        """Send the call without waiting for its answer; that of a part of a hash may be a transaction, in which no script copies it."""
        if not in_transaction:
            pipe.send(scripts.INDEX, self._keys(), [*self._facts(), self.kind, *self.items])
            return
        adding = self.keys.adding(self.model)
        first, last = (
            scripts.INDEX.command(client, [*self._keys(), adding], [*self._facts(), phase])
            for phase in ("open", "close")
        )
        pipe.send_transaction(self.keys.record, [first, ["HSET", adding, *self.items], last])

    def _keys(self) -> list[str]:
        return [self.keys.record, self.keys.schema, self.key]

    def _facts(self) -> list[Any]:
        return [*self.writer, self.model]


def put_each(client: Any, puts: Sequence[Put], *, in_transactions: bool) -> list[Any]:
    """Run the calls and return their answers, which are status and holder of the lease.

    What the server refuses is called by itself; what it has kept of a transaction is removed.
    """
    with translated_errors():
        sends = [partial(put.send, client, in_transaction=in_transactions and put.kind == "hash") for put in puts]
        answers = answers_of(client, sends)
        for place, put in enumerate(puts):
            if answers[place] is LOST or answers[place][0] == b"apart":
                answers[place] = put.run(client)
                if in_transactions:
                    client.unlink(put.keys.adding(put.model))
    return answers


def pieces_of(index: BuiltIndex, shard: int) -> Iterator[Piece]:
    """Yield the pieces of an index."""
    for built in index.models():
        parts: tuple[tuple[Part, Iterator[Any]], ...] = (
            ("index", built.entries()),
            ("edges", built.edges()),
            ("nodes", index.nodes(built.name)),
        )
        for part, chunks in parts:
            for chunk in chunks:
                for start in range(0, len(chunk), _PAIRS):
                    yield Piece(part, built.name, shard, list(chain.from_iterable(chunk[start : start + _PAIRS])))
        yield from _sums(built)
        totals = Totals(built.level, built.counted, built.skipped, {shard: built.level})
        yield Piece("totals", built.name, shard, list(chain.from_iterable(totals.fields().items())))


def _sums(built: BuiltModel) -> Iterator[Piece]:
    """Yield the sums of all levels."""
    sums = built.sums
    for level in range(built.level, -1, -1):
        for start in range(0, len(sums), _SIZE):
            yield Piece("sums", built.name, level, [start, sums[start : start + _SIZE]])
        sums = fold(sums) if level else sums
