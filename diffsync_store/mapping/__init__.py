"""Models and records as data: declared models, and mappings between a system's records and their fields."""

from diffsync_store.mapping.models import FieldDefinition, ModelDefinition, Reference, build_models, top_level
from diffsync_store.mapping.records import FieldMapping, Mapper, RecordMapping

__all__ = [
    "FieldDefinition",
    "FieldMapping",
    "Mapper",
    "ModelDefinition",
    "RecordMapping",
    "Reference",
    "build_models",
    "top_level",
]
