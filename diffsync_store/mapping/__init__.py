"""Models and records as data: declared models, and mappings between a system's records and their fields."""

from diffsync_store.mapping.definitions import FieldDefinition, ModelDefinition, Reference
from diffsync_store.mapping.model_problems import InvalidModels
from diffsync_store.mapping.models import build_models, top_level
from diffsync_store.mapping.records import FieldMapping, Mapper, RecordMapping, mapped_fields

__all__ = [
    "FieldDefinition",
    "FieldMapping",
    "InvalidModels",
    "Mapper",
    "ModelDefinition",
    "RecordMapping",
    "Reference",
    "build_models",
    "mapped_fields",
    "top_level",
]
