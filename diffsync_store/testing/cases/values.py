"""Cases about values."""

from __future__ import annotations

import types
import typing
from typing import Any

import pytest

from diffsync_store.model import DiffSyncModel
from diffsync_store.testing.bench import Bench
from diffsync_store.testing.cases.base import Cases, require
from diffsync_store.testing.sample import Record, Sample
from diffsync_store.testing.texts import TEXTS


class ValueCases(Cases):
    """A value that was written comes back as it was, so that the next diff is empty."""

    @pytest.mark.parametrize("text", TEXTS)
    def test_a_text_comes_back(self, bench: Bench, text: str) -> None:
        """A record with this text in its names and attributes is created, found by a lookup, changed and deleted."""
        require(bench, None, "create", f"text: {text}")
        target = bench.load()
        with_text = {sample: _with_text(sample, text) for sample in bench.samples.values() if sample.text}
        if not with_text:
            pytest.skip("No sample names fields in `text`.")
        bench.sync_all(with_text.values(), target)
        for sample, record in with_text.items():
            found = bench.look_up(target, sample.model, [record])
            assert found != [None], f"The lookup has not found {record}."
        if not bench.cannot(None, "update"):
            bench.sync_all([_with_plain_attributes(sample, record) for sample, record in with_text.items()], target)
        if not bench.cannot(None, "delete"):
            bench.sync_all([sample.record(0) for sample in bench.samples.values()], target)

    def test_names_that_differ_in_case_only(self, bench: Bench, sample: Sample) -> None:
        """Two records whose names differ only in upper and lower case are two records."""
        require(bench, sample, "create", "case")
        names = [name for name in sample.record().identifiers if name in sample.text]
        if not names:
            pytest.skip(f"The sample of {sample.model} names no identifier in `text`.")
        records = [
            sample.record(number).with_fields(**dict.fromkeys(names, text)) for number, text in ((1, "Ab"), (2, "aB"))
        ]
        bench.sync_all(records)

    def test_null_in_every_optional_attribute(self, bench: Bench, sample: Sample) -> None:
        """Each attribute that may be None is set to None and back, one after the other, and a record is created with None in all."""
        require(bench, sample, "create", "update", "null")
        optional = _optional(bench, sample)
        empty = dict.fromkeys(optional)
        bench.sync_all([sample.record(0), sample.record(1).with_fields(**empty)])
        bench.sync_all([sample.record(0), sample.record(1)])
        for name in optional:
            bench.sync_all([sample.record(0), sample.record(1).with_fields(**{name: None})])
            bench.sync_all([sample.record(0), sample.record(1)])

    def test_values_come_back(self, bench: Bench, sample: Sample) -> None:
        """The sample's further values of each attribute, and both values of a bool, come back with their type."""
        require(bench, sample, "create")
        model = getattr(bench.models, sample.model)
        values = {name: [True, False] for name in sample.record().attributes if _is(model, name, bool)} | dict(
            sample.values
        )
        if not values:
            pytest.skip(f"The sample of {sample.model} has no `values`.")
        given = [(name, value) for name, some in values.items() for value in some]
        records = [sample.record(number).with_fields(**{name: value}) for number, (name, value) in enumerate(given, 1)]
        bench.sync_all(records)
        adapter = bench.load()
        for record, (name, _) in zip(records, given, strict=True):
            wanted = getattr(model(**record.fields), name)
            found = getattr(adapter.get(getattr(adapter, sample.model), record.identifiers), name)
            assert type(found) is type(wanted)


def _with_text(sample: Sample, text: str) -> Record:
    value = "x" * sample.longest if text == "long" else TEXTS[text]
    record = sample.record(1)
    names = [name for name in sample.text if value or name not in record.identifiers]
    return record.with_fields(**dict.fromkeys(names, value))


def _with_plain_attributes(sample: Sample, record: Record) -> Record:
    return record.with_fields(**sample.record(1).attributes)


def _optional(bench: Bench, sample: Sample) -> list[str]:
    model = getattr(bench.models, sample.model)
    found = [name for name in sample.record().attributes if _is(model, name, types.NoneType)]
    found = list(sample.optional) if sample.optional is not None else found
    if not found:
        pytest.skip(f"{sample.model} has no attribute that may be None.")
    return found


def _is(model: type[DiffSyncModel], name: str, kind: type) -> bool:
    """Whether a field may have values of a type."""
    field = model.model_fields.get(name)
    return field is not None and kind in _members(field.annotation)


def _members(annotation: Any) -> list[Any]:
    if typing.get_origin(annotation) in {typing.Union, types.UnionType}:
        return [member for part in typing.get_args(annotation) for member in _members(part)]
    return (
        _members(typing.get_args(annotation)[0]) if typing.get_origin(annotation) is typing.Annotated else [annotation]
    )
