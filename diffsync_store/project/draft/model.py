"""Draft a model and its mappings from a collection of each system."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from keyword import iskeyword
from typing import Any

from diffsync_store.adapters.discovery import Collection, DiscoveredField
from diffsync_store.mapping.definitions import RESERVED_NAMES
from diffsync_store.project.draft.pairing import noun_of, pair_fields

Describe = Callable[[str], Collection]
Common = Mapping[str, tuple[DiscoveredField, DiscoveredField]]
"""A field of the source and one of the target, by the name of the latter."""
_ADDRESSES = frozenset({"ip", "interface", "network", "mac"})


@dataclass
class DraftModel:
    """A model, and how each side's records become one; all as data of the file."""

    name: str
    identifiers: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    source: dict[str, Any] | None = None
    """The entry in `records` of the source; None if it has no such records."""
    target: dict[str, Any] = field(default_factory=dict)
    """The entry in `records` of the target."""
    referred: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Collection of the target and the field of its records that a reference reads, by the reference's name."""
    missing: tuple[str, ...] = ()
    """Fields that the target requires and the source does not have."""
    unused: tuple[str, ...] = ()
    """Fields of the source that have no counterpart."""

    @property
    def definition(self) -> dict[str, Any]:
        """Return the entry in `models`."""
        parts = {"identifiers": self.identifiers, "attributes": self.attributes, "references": self.references}
        return {key: value for key, value in parts.items() if value}

    def key_of(self, reference: str) -> str:
        """Return the field by which a reference names a record."""
        return self.referred[reference][1]

    def remarks(self) -> Iterator[str]:
        """Yield a sentence for each thing that a person has to decide."""
        for name in self.missing:
            yield (
                f"{self.name}.{name}: the target requires a value, and the source has no such field. Name another one, "
                f"`fields: {{{name}: FIELD}}`, or give one value to all records, `fields: {{{name}: {{value: ...}}}}`."
            )
        if self.unused:
            yield f"{self.name}: the target has no field for {', '.join(self.unused)}."

    def write_to_new_file(self) -> None:
        """Let the target have the records in a file that the first sync makes: CSV, or JSON for lists and nested values."""
        types = [each["type"] if isinstance(each, dict) else each for each in self.attributes.values()]
        is_flat = not any(each.startswith(("list", "json")) for each in types)
        self.target = {"from": f"{self.name}.csv" if is_flat else f"{self.name}.json", "optional": True}

    def set_constant(self, name: str, value: str) -> None:
        """Give every record of the source the same value of a field that it lacks."""
        if self.source is not None:
            self.source.setdefault("fields", {})[name] = {"value": value}
        self.missing = tuple(each for each in self.missing if each != name)


def draft_models(
    pairs: Sequence[tuple[Collection, Collection | None]], describe_source: Describe, describe_target: Describe
) -> list[DraftModel]:
    """Return a model for each pair, and one for each collection that a pair refers to: those are only looked up.

    Args:
        pairs: a source's collection with the target's. None stands for one that the target is to get.
        describe_source: returns a collection of the source by its name.
        describe_target: returns a collection of the target by its name.

    Raises:
        ValueError: two collections have no field in common, or nothing identifies the records.
    """
    names = {(target or source).name: _identifier(noun_of((target or source).name)) for source, target in pairs}
    drafter = _Drafter(names, describe_source, describe_target)
    models = {model.name: model for model in (drafter.draft(source, target) for source, target in pairs)}
    looked_up: dict[str, DraftModel] = {}
    for model in models.values():
        for label, referred in list(model.references.items()):
            if referred not in models or len(models[referred].identifiers) > 1:
                name = referred if referred not in models else f"{referred}_by_{model.key_of(label)}"
                model.references[label] = name
                looked_up.setdefault(name, _looked_up(name, label, model))
    return [*looked_up.values(), *models.values()]


class _Drafter:
    def __init__(self, names: Mapping[str, str], describe_source: Describe, describe_target: Describe) -> None:
        self._names = names
        self._describe_source = describe_source
        self._describe_target = describe_target

    def draft(self, source: Collection, target: Collection | None) -> DraftModel:
        source = _by_natural_key(source, self._describe_source)
        if target is None:
            return self._of_source_alone(source)
        target = _by_natural_key(target, self._describe_target)
        writable = [each for each in target.fields if not each.is_read_only]
        pairs = pair_fields([each.name for each in source.fields], [each.name for each in writable])
        common = {there.name: (source.get(pairs[there.name]), there) for there in writable if there.name in pairs}
        if not common and not target.keys:
            raise ValueError(
                f"{source.name} and {target.name} have no field with the same name. "
                f"{source.name} has {_listed(source)}. {target.name} has {_listed(target)}."
            )
        return self._model(source, target, common, _key(source, target, common))

    def _model(self, source: Collection, target: Collection, common: Common, key: Sequence[str]) -> DraftModel:
        model = DraftModel(self._names[target.name], source={"from": source.source}, target={"from": target.source})
        for name, (here, there) in common.items():
            own, is_key = _identifier(name), name in key
            fields = model.identifiers if is_key else model.attributes
            fields[own] = _definition(here, there, is_key=is_key)
            _map(model.source, own, here.path or here.name)
            self._map_target(model, own, there)
        for there in target.fields:
            is_key = there.name in key
            if (there.is_required or is_key) and not there.is_read_only and there.name not in common:
                own = _identifier(there.name)
                model.missing += (own,)
                fields = model.identifiers if is_key else model.attributes
                fields[own] = there.type if is_key else f"{there.type}?"
                self._map_target(model, own, there)
        used = {here.name for here, _ in common.values()}
        model.unused = tuple(here.name for here in source.fields if here.name not in used)
        return model

    def _map_target(self, model: DraftModel, name: str, there: DiscoveredField) -> None:
        path = there.path or there.name
        _map(model.target, name, path)
        if not there.refers_to:
            return
        model.references[name] = self._names.get(there.refers_to, _identifier(noun_of(there.refers_to)))
        model.referred[name] = there.refers_to, path.rpartition(".")[2]
        if there.column != name:
            model.target.setdefault("references", {})[name] = there.column

    def _of_source_alone(self, source: Collection) -> DraftModel:
        model = DraftModel(self._names[source.name], source={"from": source.source})
        model.target = {"from": model.name}
        key = source.keys[0] if source.keys else (source.fields[0].name,)
        for here in source.fields:
            own, is_key = _identifier(here.name), here.name in key
            fields = model.identifiers if is_key else model.attributes
            fields[own] = _definition(here, here, is_key=is_key)
            _map(model.source, own, here.path or here.name)
        return model


def _key(source: Collection, target: Collection, common: Common) -> tuple[str, ...]:
    """Return fields that identify a record on both sides: the target's key if the source has its fields."""
    for key in target.keys:
        if set(key) <= common.keys():
            return key
    if not common:
        return target.keys[0]
    there = {here.name: name for name, (here, _) in common.items()}
    for key in source.keys:
        if set(key) <= there.keys():
            return tuple(there[name] for name in key)
    required = tuple(name for name, (here, other) in common.items() if other.is_required and not here.may_be_null)
    return required or (next(iter(common)),)


def _by_natural_key(collection: Collection, describe: Describe) -> Collection:
    """Return a collection whose columns with a foreign key are read by the natural key of the record that they lead to."""
    return replace(collection, fields=[_naturally(each, describe) for each in collection.fields])


def _naturally(field: DiscoveredField, describe: Describe) -> DiscoveredField:
    if not field.refers_to or field.column:
        return field
    referred = describe(field.refers_to)
    key = next((key for key in referred.keys if len(key) == 1 and not referred.get(key[0]).is_read_only), None)
    if key is None:
        return replace(field, refers_to="")
    column = field.path
    return replace(field, path=f"{field.name}.{key[0]}", type=referred.get(key[0]).type, column=column)


def _looked_up(name: str, label: str, model: DraftModel) -> DraftModel:
    """Return the model of records that a reference names: they are looked up by the field that the reference reads."""
    collection, key = model.referred[label]
    source = f"{collection}/" if "/" in collection else collection
    return DraftModel(name, identifiers={_identifier(key): "str"}, target={"from": source, "lookup_only": True})


def _definition(here: DiscoveredField, there: DiscoveredField, *, is_key: bool) -> Any:
    kind = here.type if there.type == "str" and here.type in _ADDRESSES else there.type
    if is_key or not (here.may_be_null or there.may_be_null):
        return kind
    return {"type": f"{kind}?", "compare": "empty_is_none"} if kind == "str" else f"{kind}?"


def _map(entry: dict[str, Any] | None, name: str, path: str) -> None:
    if entry is not None and path != name:
        entry.setdefault("fields", {})[name] = path if re.fullmatch(r"[A-Za-z_][\w.-]*", path) else f'"{path}"'


def _identifier(name: str) -> str:
    """Return a name that a model or a field may have."""
    plain = re.sub(r"\W+", "_", name).strip("_") or "field"
    if plain[0].isdigit():
        plain = f"field_{plain}"
    return f"{plain}_" if iskeyword(plain) or plain in RESERVED_NAMES else plain


def _listed(collection: Collection) -> str:
    names = [each.name for each in collection.fields]
    return ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
