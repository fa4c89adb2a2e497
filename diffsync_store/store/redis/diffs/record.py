"""The record of a saved diff."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from diffsync_store.field_rules.rules import NO_FIELD_RULES, FieldRules
from diffsync_store.rules import NO_OPERATION_RULES, RuledCount, Rules
from diffsync_store.suppression import Suppression


class Subtree(BaseModel):
    """A top-level object, and how many operations it and the objects below it have."""

    model_config = ConfigDict(frozen=True)

    model: str
    name: str
    operations: int


class DiffRecord(BaseModel):
    """Facts about a saved diff, readable without its operations. Threads may share it; it can be pickled for other processes."""

    diff_id: str
    source_name: str
    target_name: str
    source_store_id: str = ""
    target_store_id: str = ""
    source_generation: str = ""
    """The generation of the source's store when the two stores were compared."""
    target_generation: str = ""
    """The generation of the target's store at that time."""
    flags: int = 0
    """The `DiffSyncFlags` that the diff was made with, as a number."""
    summary: dict[str, int]
    operations: int
    """Number of creates, updates and deletes."""
    by_model: dict[str, dict[str, int]] = {}
    """Number of operations by model and action."""
    largest: tuple[Subtree, ...] = ()
    """The top-level objects with most operations, largest first; ten at most."""
    target_counts: dict[str, int] = {}
    """Number of objects of the target by model: the base of percent limits."""
    suppressions: tuple[Suppression, ...] = ()
    """Suppressed operations, each with the allowance that applies them."""
    undoes: str = ""
    """The `diff_id` of the diff that this one undoes; empty for any other."""
    notes: tuple[str, ...] = ()
    """What a person has to know before the diff is applied, such as what an undo cannot take back."""
    field_rules: FieldRules = NO_FIELD_RULES
    """The field rules that the diff was made with; a sync of it remembers what they need."""
    left_alone: dict[str, dict[str, int]] = {}
    """Number of values and objects that the field rules leave alone, by model and reason (see `field_rules.Why`)."""
    had_memory: bool = True
    """Whether anything was known of what syncs have written to the target; true if the field rules do not need it."""
    operation_rules: Rules = NO_OPERATION_RULES
    """The rules that decide each operation."""
    rulings: tuple[RuledCount, ...] = ()
    """Number of operations that each rule decides; empty without rules."""
    elements: int
    """Number of elements stored: the operations and the objects above them."""
    created: datetime
    ttl: int
    """Seconds without use after which the diff expires."""
