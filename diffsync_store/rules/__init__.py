"""Rules: what becomes of each operation of a diff. Pure functions, no I/O."""

from diffsync_store.rules.counts import RuledCount, RulingCounter, count_decided
from diffsync_store.rules.decision import Decision, Ruling
from diffsync_store.rules.rule import Rule, Unless
from diffsync_store.rules.rules import NO_OPERATION_RULES, Rules

__all__ = [
    "NO_OPERATION_RULES",
    "Decision",
    "Rule",
    "RuledCount",
    "Rules",
    "Ruling",
    "RulingCounter",
    "Unless",
    "count_decided",
]
