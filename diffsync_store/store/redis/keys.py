"""The names of all Redis keys, and the rules for the ids in them.

Every key of a store has its `store_id` as hash tag, so that one script can work on them. On Redis Cluster a store has several
partitions; all but the first have hash tags of their own, `{ID:N}` (see `partitions.py`), with the keys record, schema, counts, shards,
objects, pages, adding, order, touched, twice and lease. Model names come last and may hold any character: a hash tag ends at its first closing brace. No key is ever used as
a pattern.

    dss:{ID}:record              hash: the store's record; also the fields by which scripts admit writers, see `scripts/store.py`
    dss:{ID}:schema              hash: model name to the model's schema, as JSON; empty before the first object
    dss:{ID}:counts              hash: model name to number of objects
    dss:{ID}:shards              hash: number of a shard to its state, as JSON
    dss:{ID}:objects:MODEL       hash: unique id to 8 bytes position and object, as JSON with a byte
                                 in place of each field name, see `field_names.py`
    dss:{ID}:pages:MODEL         hash: SHARD:N to the unique ids of one batch of a load, see `writing/page.py`; N counts from 0
    dss:{ID}:adding:MODEL        hash: the objects, inside a transaction that adds some; see `scripts/lua/store/add.lua`
    dss:{ID}:order:MODEL         sorted set: unique ids that were added outside of a load, by position
    dss:{ID}:touched:MODEL       set: unique ids that were written or removed outside of a load
    dss:{ID}:index:SHARD:MODEL   hash: bucket to its entries, see `store/index/format.py`
    dss:{ID}:edges:SHARD:MODEL   hash: bucket of a child of this model to its edges
    dss:{ID}:sums:LEVEL:MODEL    string: the sums of the buckets of a level
    dss:{ID}:nodes:MODEL         hash: unique id of an object that lists children or is ignored to its node
    dss:{ID}:totals:MODEL        hash: the levels of a model's index, and its nodes added up
    dss:{ID}:shardsums:SHARD:MODEL, open:SHARD:MODEL, twice:SHARD:MODEL
                                 string, list and hash, until a load in shards is sealed: sums, what depends on other shards (see
                                 `store/index/open_nodes.py`), and objects that another shard had loaded before
    dss:{ID}:lease               hash: who may change the target, and the last fencing token; outlives the store
    dsd:{ID}:record              string: a saved diff's record, as JSON
    dsd:{ID}:elements            list: a saved diff's elements in order, as JSON
    dsd:{ID}:journal             hash: id of an operation to its state, as JSON
    dsd:{ID}:journal:writer      hash: the sync that applies the diff, and the last number of each stream of batches
    dsd:{ID}:journal:application, journal:approval, journal:rehearsal
                                 strings: who has applied the diff, who has approved it, what a rehearsal found, as JSON
    dsd:{ID}:round, units, claims, agents
                                 hash, list, hash, hash: agents that apply the diff together, see `scripts/agents.py`
    dsd:{ID}:journal:approval-requests
                                 hash: id of a run that waits for an approval to its request, as JSON
    dsd:{ID}:left-alone          list: what field rules leave alone, as JSON
    dss:{memory TARGET}:record   hash: the salt of digests, and `model:MODEL` for each model of the memory of a target
    dss:{memory TARGET}:objects:MODEL
                                 hash: unique id to what syncs have written to the object, as JSON; never expires
    dss:in-sync                  hash: source and target of a sync to the time at which they were last equal; never expires
    dss:notice:DIGEST            string: a notification that is being sent, or was sent; DIGEST is of its name
    dss:{absent SOURCE TARGET}:record
                                 hash: `number` and `generation` of the last load of a source that was compared, and `models:NUMBER`, as JSON
    dss:{absent SOURCE TARGET}:objects:NUMBER:MODEL
                                 hash: unique id to the number of loads in a row that lacked the object; of the last two loads
    dss:users                    hash: id of a recent user of this Redis to time and description
    ds:stores, ds:diffs          sorted sets: the ids in use, by time of last write

A namespace NS separates one project from the rest of a Redis: its keys begin with `dss:NS:{ID}:` and
`dsd:NS:{ID}:`, its ids are in `dss:NS:stores` and `dsd:NS:diffs`, its users in `dss:NS:users`; `dss:NS:in-sync` and
`dss:NS:notice:DIGEST` too. Without a namespace, the keys are those above.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from diffsync_store.exceptions import ObjectStoreException
from diffsync_store.store.index.format import MAX_LEVEL

STORES = "ds:stores"
DIFFS = "ds:diffs"

DEFAULT_TTL = 7 * 24 * 3600
"""Seconds without use after which a store or a saved diff expires."""

_DIGEST = "digest-"
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_NAMESPACE = re.compile(r"[A-Za-z0-9._-]{1,64}")


def is_id(value: str) -> bool:
    """True if a text may name a store or a diff."""
    return bool(_ID.fullmatch(value))


def encode_uids(uids: Iterable[str]) -> list[str | bytes]:
    """Return unique ids as arguments of a read. Redis holds none that is not valid Unicode, so such an id is not found."""
    return [uid if uid.isascii() else uid.encode("utf-8", "surrogatepass") for uid in uids]


def check_id(value: str, what: str) -> str:
    """Return `value` if it may name a store or a diff.

    Raises:
        ObjectStoreException: it is not 1 to 128 letters, digits, `.`, `_`, `-`.
    """
    if not is_id(value):
        text = repr(value) if len(repr(value)) < 160 else f"{repr(value)[:157]}..."
        raise ObjectStoreException(f"{what} {text} is not valid: use 1 to 128 letters, digits, '.', '_' or '-'.")
    return value


def check_namespace(value: str) -> str:
    """Return `value` if it may name a namespace; the default namespace is empty.

    Raises:
        ObjectStoreException: it is not up to 64 letters, digits, `.`, `_`, `-`.
    """
    if value and not _NAMESPACE.fullmatch(value):
        raise ObjectStoreException(
            f"namespace {value[:100]!r} is not valid: use 1 to 64 letters, digits, '.', '_' or '-', or none."
        )
    return value


def command(namespace: str) -> str:
    """Return the beginning of a `diffsync-store` command for a namespace."""
    return f"diffsync-store --namespace {namespace}" if namespace else "diffsync-store"


def _space(kind: str, namespace: str) -> str:
    return f"{kind}:{check_namespace(namespace)}:" if namespace else f"{kind}:"


def index_of_stores(namespace: str) -> str:
    """Return the key of the sorted set of the stores in a namespace."""
    return f"{_space('dss', namespace)}stores" if namespace else STORES


def index_of_diffs(namespace: str) -> str:
    """Return the key of the sorted set of the saved diffs in a namespace."""
    return f"{_space('dsd', namespace)}diffs" if namespace else DIFFS


def users_of(namespace: str) -> str:
    """Return the key of the hash of the users of a namespace."""
    return f"{_space('dss', namespace)}users"


def in_sync_of(namespace: str) -> str:
    """Return the key of the times at which the syncs of a namespace were last in sync."""
    return f"{_space('dss', namespace)}in-sync"


def notice_of(digest: str, namespace: str) -> str:
    """Return the key of a notification."""
    return f"{_space('dss', namespace)}notice:{digest}"


class StoreKeys:
    """The keys of one store."""

    def __init__(self, store_id: str, namespace: str = "", tag: str = "") -> None:
        self.store_id = check_id(store_id, "store_id")
        self.namespace = namespace
        self._prefix = f"{_space('dss', namespace)}{{{tag or store_id}}}:"
        self.record = f"{self._prefix}record"
        self.schema = f"{self._prefix}schema"
        self.counts = f"{self._prefix}counts"
        self.shards = f"{self._prefix}shards"
        self.lease = f"{self._prefix}lease"

    def objects(self, model: str) -> str:
        """Return the key of the objects of a model."""
        return f"{self._prefix}objects:{model}"

    def pages(self, model: str) -> str:
        """Return the key of the order of a model's objects that were loaded."""
        return f"{self._prefix}pages:{model}"

    def order(self, model: str) -> str:
        """Return the key of the order of a model's objects that were added outside of a load."""
        return f"{self._prefix}order:{model}"

    def touched(self, model: str) -> str:
        """Return the key of the unique ids that the index does not cover."""
        return f"{self._prefix}touched:{model}"

    def adding(self, model: str) -> str:
        """Return the key that has the objects of a model during a transaction that adds some."""
        return f"{self._prefix}adding:{model}"

    def of_batch(self, model: str) -> list[str]:
        """Return the keys of the scripts that write a batch."""
        of_model = self.objects(model), self.pages(model), self.order(model), self.touched(model)
        return [self.record, self.counts, self.schema, *of_model]

    def index(self, shard: int, model: str) -> str:
        """Return the key of the entries of a shard's index."""
        return f"{self._prefix}index:{shard}:{model}"

    def edges(self, shard: int, model: str) -> str:
        """Return the key of the edges to the children of a model that a shard has."""
        return f"{self._prefix}edges:{shard}:{model}"

    def shardsums(self, shard: int, model: str) -> str:
        """Return the key of the sums of a shard that is not sealed."""
        return f"{self._prefix}shardsums:{shard}:{model}"

    def open(self, shard: int, model: str) -> str:
        """Return the key of what a shard has that depends on other shards, until it is sealed."""
        return f"{self._prefix}open:{shard}:{model}"

    def twice(self, shard: int, model: str) -> str:
        """Return the key of the objects that another shard had loaded before this one."""
        return f"{self._prefix}twice:{shard}:{model}"

    def sums(self, level: int, model: str) -> str:
        """Return the key of the sums of a level."""
        return f"{self._prefix}sums:{level}:{model}"

    def totals(self, model: str) -> str:
        """Return the key of the totals of a model's index."""
        return f"{self._prefix}totals:{model}"

    def nodes(self, model: str) -> str:
        """Return the key of the nodes of a model."""
        return f"{self._prefix}nodes:{model}"

    def all(self, models: Iterable[str], shards: int = 1) -> list[str]:
        """Return every key that a store with these models may have."""
        found = [self.record, self.schema, self.counts, self.shards]
        for model in models:
            found += [self.objects(model), self.pages(model), self.order(model), self.touched(model)]
            found += [self.nodes(model), self.totals(model), self.adding(model)]
            found += [self.sums(level, model) for level in range(MAX_LEVEL + 1)]
            for shard in range(shards):
                found += [key(shard, model) for key in (self.index, self.edges, self.shardsums, self.open, self.twice)]
        return found


class DiffKeys:
    """The keys of one saved diff."""

    def __init__(self, diff_id: str, namespace: str = "") -> None:
        self.diff_id = check_id(diff_id, "diff_id")
        self.namespace = namespace
        prefix = f"{_space('dsd', namespace)}{{{diff_id}}}:"
        self.record = f"{prefix}record"
        self.elements = f"{prefix}elements"
        self.journal = f"{prefix}journal"
        self.writer = f"{prefix}journal:writer"
        self.application = f"{prefix}journal:application"
        self.approval = f"{prefix}journal:approval"
        self.approval_requests = f"{prefix}journal:approval-requests"
        self.window_override = f"{prefix}journal:window-override"
        self.rehearsal = f"{prefix}journal:rehearsal"
        self.left_alone = f"{prefix}left-alone"
        self.outline = f"{prefix}outline"
        self.round = f"{prefix}round"
        self.units = f"{prefix}units"
        self.claims = f"{prefix}claims"
        self.agents = f"{prefix}agents"

    def all(self) -> list[str]:
        """Return every key of the diff."""
        of_journal = [self.journal, self.writer, self.application, self.window_override]
        of_approval = [self.approval, self.approval_requests, self.rehearsal]
        return [self.record, self.elements, self.left_alone, self.outline, *of_journal, *of_approval, *self.of_agents()]

    def of_agents(self) -> list[str]:
        """Return the keys of the agents that apply the diff together."""
        return [self.round, self.units, self.claims, self.agents]


class MemoryKeys:
    """The keys of the memory of one target. They never expire."""

    def __init__(self, target_name: str, namespace: str = "") -> None:
        self._prefix = f"{_space('dss', namespace)}{{memory {_tag(target_name)}}}:"
        self.record = f"{self._prefix}record"

    def objects(self, model: str) -> str:
        """Return the key of what is known about the objects of a model."""
        return f"{self._prefix}objects:{model}"


class AbsenceKeys:
    """The keys of the objects that the last loads of a source lacked."""

    def __init__(self, source_name: str, target_name: str, namespace: str = "") -> None:
        self._prefix = f"{_space('dss', namespace)}{{absent {_tag(source_name)} {_tag(target_name)}}}:"
        self.record = f"{self._prefix}record"

    def objects(self, generation: str, model: str) -> str:
        """Return the key of what one load lacked of a model."""
        return f"{self._prefix}objects:{generation}:{model}"


def _tag(name: str) -> str:
    """Return a hash tag for the name of an adapter, which may hold any character. No two names share one."""
    if is_id(name) and not name.startswith(_DIGEST):
        return name
    return _DIGEST + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
