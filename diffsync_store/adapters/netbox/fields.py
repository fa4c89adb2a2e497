"""How the fields of a model are found in NetBox's records, and which fields of a record a model needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from diffsync_store.mapping.models import DeclaredModel
from diffsync_store.mapping.paths import Getter, Record, compile_getter, compile_setter, is_plain
from diffsync_store.mapping.records import FieldMapping, RecordMapping

_CHOICE = frozenset({"value", "label"})
_TAG = frozenset({"slug", "color"})
_OF_PORTS = frozenset({"rear_port", "rear_port_position"})


def plain(value: Any) -> Any:
    """Return a choice as its value, tags as their slugs, anything else as it is."""
    if isinstance(value, dict):
        return value["value"] if value.keys() == _CHOICE else value
    if isinstance(value, list) and value and all(isinstance(item, dict) and item.keys() >= _TAG for item in value):
        return [item["slug"] for item in value]
    return value


def netbox_getter(path: str) -> Getter:
    """Return a function that reads the value at a path of NetBox's records: `status` and `status.value` are the same."""
    if path.split(".", maxsplit=1)[0] in _OF_PORTS:
        return _of_port(path)
    get = compile_getter(path.removesuffix(".value") if is_plain(path) else path)
    if path.startswith("$"):
        return get
    return lambda record, parent: plain(get(record, parent))


def _of_port(path: str) -> Getter:
    """Return a getter of the rear port of a front port, which NetBox 4.5 and newer have in a list of one."""
    get = compile_getter(path)

    def get_of_port(record: Record, parent: Any) -> Any:
        ports = record.get("rear_ports")
        if ports is None:
            return get(record, parent)
        if len(ports) > 1:
            raise ValueError(f"The front port has {len(ports)} rear ports, but the field can hold only one.")
        return get(ports[0], parent) if ports else None

    return get_of_port


def written(mapping: RecordMapping) -> RecordMapping:
    """Return the mapping with the paths that NetBox accepts: a choice is written as its value, and a label is not written."""
    return mapping.model_copy(update={"fields": {name: _written(field) for name, field in mapping.fields.items()}})


def _written(field: FieldMapping) -> FieldMapping:
    if field.write is not None or field.read_only or not is_plain(field.path):
        return field
    above, _, last = field.path.rpartition(".")
    if last == "value" and "." not in above:
        return field.model_copy(update={"write": above})
    return field.model_copy(update={"read_only": True}) if last == "label" and above else field


# Generic relations: `scope_type` and `scope_id` name a record of one of several models


def relation_of(target: str) -> str:
    """Return the name of a generic relation, such as `scope` for `scope_id`; empty for a plain reference."""
    return target.removesuffix("_id") if target.endswith("_id") else ""


def relations(model: type[DeclaredModel], mapping: RecordMapping) -> Iterator[tuple[str, str, str]]:
    """Yield the fields that are read through a generic relation, each with the relation and the model that it leads to."""
    for label, reference in model._references.items():
        name = relation_of(mapping.references.get(label, label))
        for field in reference.fields.values() if name else ():
            if field in mapping.fields and mapping.fields[field].path.startswith(f"{name}."):
                yield field, name, reference.model


def only_of_type(get: Getter, relation: str, wanted: Callable[[], str]) -> Getter:
    """Return a getter that reads through a generic relation where it leads to a record of the wanted object type."""
    key = f"{relation}_type"
    return lambda record, parent: get(record, parent) if record.get(key) == wanted() else None


def put_reference(payload: dict[str, Any], target: str, system_id: Any, object_type: Callable[[], str]) -> None:
    """Write the id of a record that is named, for `scope_id` with its type, for `a_terminations` as a list of one."""
    relation = relation_of(target)
    if target.endswith("_terminations"):
        payload[target] = [] if system_id is None else [{"object_type": object_type(), "object_id": system_id}]
    elif not relation:
        compile_setter(target)(payload, system_id)
    elif system_id is not None or target not in payload:  # several references may lead through one relation
        payload[target] = system_id
        payload[f"{relation}_type"] = None if system_id is None else object_type()


# The fields of a record that are asked for


def names_needed(model: type[DeclaredModel], mapping: RecordMapping, lists: Iterable[str]) -> set[str]:
    """Return the keys of a record that a mapping reads, so that only these are requested.

    Args:
        model: the model.
        mapping: how its records are read.
        lists: paths of lists inside the records, from which records of other models are read.
    """
    names = {"id"}
    for name in model.model_fields:
        field = mapping.fields.get(name)
        if field is None or "value" not in field.model_fields_set:
            names |= names_in((field.path if field is not None else "") or name)
    for path in lists:
        names |= names_in(path)
    names |= {f"{relation}_type" for _, relation, _ in relations(model, mapping)}
    return names | {"rear_ports"} if names & _OF_PORTS else names


def names_in(path: str) -> set[str]:
    """Return the first key of a path; for a JMESPath expression all keys in it, which may be more than it reads."""
    if path.startswith("$"):
        return set()
    if is_plain(path):
        return {path.split(".", maxsplit=1)[0]}
    import jmespath

    return set(_names(jmespath.compile(path).parsed))


def _names(node: Mapping[str, Any]) -> Iterator[str]:
    if node.get("type") == "field":
        yield node["value"]
    for child in node.get("children", ()):
        if isinstance(child, Mapping):
            yield from _names(child)
