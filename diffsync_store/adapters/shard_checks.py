"""Check that the shards of a ready adapter fit its records."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from diffsync_store.adapters.shards import AUTO, ShardRange, WrongShards, parts_of
from diffsync_store.mapping.records import RecordMapping


class Cutting(NamedTuple):
    """How a class of adapters can cut its records."""

    class_name: str
    can_cut: bool
    has_ranges: bool


def require_fitting_shards(
    declared: Any,
    cutting: Cutting,
    mappings: Mapping[str, RecordMapping],
    top_level: Sequence[str],
    parents: Mapping[str, str],
) -> None:
    """Check the declared shards of an adapter and `shard` of its records.

    Args:
        declared: the shards.
        cutting: what the adapter can do.
        mappings: the records by model.
        top_level: the models at the top of the tree.
        parents: the parent of each model whose records are not in the list of another record.

    Raises:
        WrongShards: they do not fit.
    """
    cut = [name for name, mapping in mappings.items() if mapping.shard]
    for name in cut:
        _require_cuttable(cutting, name, mappings[name])
    for child, parent in parents.items():
        _require_both(child, parent, cut)
    parts = declared if isinstance(declared, Mapping) else {}
    ranges = [name for name, part in parts.items() if isinstance(part, ShardRange)]
    if ranges and not cutting.has_ranges:
        raise WrongShards(
            f"{cutting.class_name} cannot read a range of values. List the values of the shard {ranges[0]!r}."
        )
    if declared and declared != AUTO and not cut:
        _require_models(top_level, declared)


def _require_cuttable(cutting: Cutting, name: str, mapping: RecordMapping) -> None:
    if not cutting.can_cut:
        raise WrongShards(f"`records` of {name!r}: {cutting.class_name} cannot cut records. Remove `shard`.")
    if mapping.list_path or mapping.lookup_only:
        reason = "come with those of their parent" if mapping.list_path else "are not loaded"
        raise WrongShards(f"The records of {name!r} {reason}. Remove their `shard`.")


def _require_both(child: str, parent: str, cut: Collection[str]) -> None:
    if (child in cut) != (parent in cut):
        raise WrongShards(
            f"A record is in the shard of its parent: set `shard` in the records of both {child!r} and {parent!r}, or of neither."
        )


def _require_models(top_level: Collection[str], declared: Any) -> None:
    parts = parts_of(declared, list(declared))
    unknown = [str(value) for part in parts.values() for value in part.values if value not in top_level]
    if unknown:
        raise WrongShards(
            f"There is no top-level model {unknown[0]!r}. Without `shard` in the records, a shard has whole models, here of "
            f"{', '.join(top_level)}. Or set `shard` in the records."
        )
