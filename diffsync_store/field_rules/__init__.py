"""Which attributes and objects of a target a sync may change, and the memory of what syncs have written there."""

from diffsync_store.field_rules.adopting import Adoptable, Adopter, Counts
from diffsync_store.field_rules.filtering import RuleFilter, apply_rules
from diffsync_store.field_rules.left_alone import LeftAlone, Why
from diffsync_store.field_rules.memory import Adoption, LocalTargetMemory, Remembered, TargetMemory
from diffsync_store.field_rules.recording import Recorder
from diffsync_store.field_rules.rules import NO_FIELD_RULES, FieldRule, FieldRules

__all__ = [
    "NO_FIELD_RULES",
    "Adoptable",
    "Adopter",
    "Adoption",
    "Counts",
    "FieldRule",
    "FieldRules",
    "LeftAlone",
    "LocalTargetMemory",
    "Recorder",
    "Remembered",
    "RuleFilter",
    "TargetMemory",
    "Why",
    "apply_rules",
]
