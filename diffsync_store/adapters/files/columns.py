"""The columns that a table has to have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from diffsync_store.adapters.files.formats import InvalidFile
from diffsync_store.mapping.paths import first_keys
from diffsync_store.mapping.records import FieldMapping, Mapper, mapped_fields


def require_columns(mapper: Mapper, columns: Sequence[str]) -> None:
    """Check that a table has the columns that a mapping reads, so that a column that is gone empties no field.

    A field with a default, or one that is only read, needs none.

    Raises:
        InvalidFile: one is missing.
    """
    missing = {column: name for name, column in _read_columns(mapper) if column not in columns}
    if missing:
        name = next(iter(missing.values()))
        remedy = (
            f"Correct the path of the field {name!r}; or give it a `default`, such as `default: null`, if the column may be missing"
            if name
            else f"Correct `where: {mapper.mapping.where}`"
        )
        raise InvalidFile(
            f"it has no column {', '.join(map(repr, missing))}. Its columns are {', '.join(map(_shown, columns))}. {remedy}"
        )


def _shown(column: str) -> str:
    """Return a name, in quotes if blanks around it could not be seen."""
    return column if column and column == column.strip() else repr(column)


def _read_columns(mapper: Mapper) -> Iterator[tuple[str, str]]:
    """Yield fields without a default, and `where` under an empty name, each with a column that it reads."""
    yield from (("", column) for column in (first_keys(mapper.mapping.where) if mapper.mapping.where else ()))
    for name in mapped_fields(mapper.model):
        field = mapper.mapping.fields.get(name, FieldMapping())
        is_given = field.read_only or {"default", "value"} & field.model_fields_set
        if not is_given and not _has_default(mapper, name):
            yield from ((name, column) for column in first_keys(field.path or name))


def _has_default(mapper: Mapper, name: str) -> bool:
    """True if the model declares a value for records without one."""
    field = mapper.model.model_fields[name]
    return not field.is_required() and (field.default_factory is not None or field.default is not None)
