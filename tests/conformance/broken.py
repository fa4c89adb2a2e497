"""Adapters that each break one rule, and what notices it: the case, its further arguments, and a part of its message."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple, Self

from diffsync_store import ObjectNotCreated, ObjectNotDeleted
from diffsync_store.testing import AdapterConformance, Sample, Side
from tests.conformance.memory import (
    DEVICE,
    SITE,
    BulkDevice,
    BulkInventory,
    Device,
    Inventory,
    Memory,
    Row,
    Site,
    Values,
)


class Broken(NamedTuple):
    adapter: type[Inventory]
    case: Callable[..., None]
    message: str
    arguments: Mapping[str, Any] = {}


def _with_device(model: type[Device], base: type[Inventory] = Inventory) -> type[Inventory]:
    return type(f"InventoryOf{model.__name__}", (base,), {"device": model})


def _of(sample: Sample, **more: Any) -> Mapping[str, Any]:
    return {"sample": sample, **more}


class Forgetful(Inventory):
    def take(self, model: type[Row], record: Values) -> None:
        if record["name"] != "device 1":
            super().take(model, record)


class Childless(Inventory):
    def take(self, model: type[Row], record: Values) -> None:
        self.add(model(**record))


class Lenient(Inventory):
    def load(self) -> None:
        for model in (self.site, self.device):
            for record in self.memory.read(model._modelname):
                try:
                    self.take(model, record)
                except ValueError:
                    continue


class Patient(Inventory):
    """Takes every error of a read for an empty list."""

    def load(self) -> None:
        for model in (self.site, self.device):
            try:
                with self.call("read") as memory:
                    records = memory.read(model._modelname)
            except Exception:  # noqa: BLE001  # the broken rule
                records = []
            for record in records:
                self.take(model, record)


class Caching(Inventory):
    cached: ClassVar[dict[int, list[Values]]] = {}

    def load(self) -> None:
        for model in (self.site, self.device):
            key = hash((id(self.memory), model._modelname))
            for record in self.cached.setdefault(key, self.memory.read(model._modelname)):
                self.take(model, record)


class Marking(Inventory):
    def load(self) -> None:
        super().load()
        for record in self.memory.tables["site"].values():
            record["region"] = "seen"


class Talkative(Inventory):
    def __repr__(self) -> str:
        return f"<inventory with the password {self.password}>"


class Confessing(Inventory):
    @contextmanager
    def call(self, side: Side) -> Iterator[Memory]:
        if self.password == "wrong":
            raise PermissionError(f"wrong is not {self.memory.password}")
        with super().call(side) as memory:
            yield memory


class Incomplete(Device):
    @classmethod
    def create(cls, adapter: Any, ids: Values, attrs: Values) -> Self | None:
        return super().create(adapter, ids, {**attrs, "rack": None})


class Overwriting(Device):
    def update(self, attrs: Values) -> Self | None:
        return super().update({**self.get_attrs(), **attrs})


class Undead(Device):
    def delete(self) -> Self | None:
        return self.delete_base()


class Strict(Device):
    def delete(self) -> Self | None:
        key = tuple(self.get_identifiers().values())
        if key not in self.adapter.memory.tables["device"]:
            raise ObjectNotDeleted("It is gone.")
        return super().delete()


class Reviving(Device):
    def update(self, attrs: Values) -> Self | None:
        record = {**self.get_identifiers(), **self.get_attrs(), **attrs}
        self.adapter.memory.tables["device"][tuple(self.get_identifiers().values())] = record
        return self.update_base(attrs)


class Replacing(Device):
    @classmethod
    def create(cls, adapter: Any, ids: Values, attrs: Values) -> Self | None:
        adapter.memory.tables["device"].pop(tuple(ids.values()), None)
        return super().create(adapter, ids, attrs)


class Stripping(Device):
    @classmethod
    def create(cls, adapter: Any, ids: Values, attrs: Values) -> Self | None:
        return super().create(adapter, {**ids, "name": ids["name"].strip()}, attrs)


class Nullifying(Site):
    """Writes null as an empty text."""

    @classmethod
    def create(cls, adapter: Any, ids: Values, attrs: Values) -> Self | None:
        return super().create(adapter, ids, {**attrs, "region": attrs["region"] or ""})


class Careless(Device):
    """Takes every error for done."""

    @classmethod
    def create(cls, adapter: Any, ids: Values, attrs: Values) -> Self | None:
        try:
            return super().create(adapter, ids, attrs)
        except Exception:  # noqa: BLE001  # the broken rule
            return cls.create_base(adapter, ids, attrs)


class Hasty(Device):
    """Takes a lost answer for a refusal."""

    @classmethod
    def create(cls, adapter: Any, ids: Values, attrs: Values) -> Self | None:
        try:
            return super().create(adapter, ids, attrs)
        except ConnectionError as error:
            raise ObjectNotCreated(str(error)) from None


class Blind(Device):
    @classmethod
    def lookup(cls, adapter: Any, ids: Values) -> Values | None:  # noqa: ARG003  # it finds nothing
        return None


class Halfblind(Device):
    @classmethod
    def lookup(cls, adapter: Any, ids: Values) -> Values | None:
        found = super().lookup(adapter, ids)
        return found and {**found, "rack": None}


class Shuffling(BulkDevice):
    @classmethod
    def create_many(cls, adapter: Any, records: Sequence[tuple[Values, Values]]) -> list[Any]:
        return super().create_many(adapter, records)[::-1]


class AllOrNothing(BulkDevice):
    @classmethod
    def create_many(cls, adapter: Any, records: Sequence[tuple[Values, Values]]) -> list[Any]:
        answers = super().create_many(adapter, records)
        bad = [answer for answer in answers if isinstance(answer, Exception)]
        return [bad[0]] * len(answers) if bad else answers


class Denying(BulkDevice):
    """Says that it has created what it has not."""

    @classmethod
    def create_many(cls, adapter: Any, records: Sequence[tuple[Values, Values]]) -> list[Any]:
        answers = super().create_many(adapter, records)
        return [
            cls.create_base(adapter, *record) if isinstance(answer, Exception) else answer
            for record, answer in zip(records, answers, strict=True)
        ]


class Disordered(BulkDevice):
    @classmethod
    def lookup_many(cls, adapter: Any, ids: Sequence[Values]) -> list[Values | None]:
        return [found for found in super().lookup_many(adapter, ids) if found is not None]


_S = AdapterConformance
BROKEN = [
    Broken(Forgetful, _S.test_load_reads_every_record, "device: missing ['site 0__device 1']"),
    Broken(Childless, _S.test_load_puts_children_below_their_parents, "A new load finds other records"),
    Broken(Lenient, _S.test_a_record_that_does_not_fit_is_rejected_by_name, "is not complete", _of(DEVICE)),
    Broken(Patient, _S.test_load_of_a_system_that_stays_broken, "raises no error"),
    Broken(Patient, _S.test_no_right_to_read, "raises no error"),
    Broken(Patient, _S.test_wrong_credentials, "raises no error"),
    Broken(Caching, _S.test_a_second_load_replaces_the_first, "A new load finds other records", _of(DEVICE)),
    Broken(Marking, _S.test_load_writes_nothing, "The system does not hold what it should"),
    Broken(Talkative, _S.test_secrets_are_nowhere, "with the password ***"),
    Broken(Confessing, _S.test_secrets_are_nowhere, "wrong is not ***"),
    Broken(_with_device(Incomplete), _S.test_create_writes_a_record, "rack    wanted(1)    found(None)", _of(DEVICE)),
    Broken(
        _with_device(Overwriting),
        _S.test_update_leaves_alone_what_it_does_not_change,
        "The system does not hold",
        _of(DEVICE),
    ),
    Broken(_with_device(Undead), _S.test_delete_removes_one_record, "The system does not hold", _of(DEVICE)),
    Broken(_with_device(Strict), _S.test_delete_of_a_record_that_is_gone, "It is gone.", _of(DEVICE)),
    Broken(_with_device(Reviving), _S.test_update_of_a_record_that_is_gone, "device 2' and nothing else", _of(DEVICE)),
    Broken(_with_device(Replacing), _S.test_create_of_a_record_that_appeared, "The system does not hold", _of(DEVICE)),
    Broken(_with_device(Stripping), _S.test_a_text_comes_back, "The system does not hold", {"text": "blanks around"}),
    Broken(
        type("OfNull", (Inventory,), {"site": Nullifying}),
        _S.test_null_in_every_optional_attribute,
        "region    wanted(None)    found()",
        _of(SITE),
    ),
    Broken(_with_device(Careless), _S.test_one_bad_create_in_a_batch, "The sync lists [], not", _of(DEVICE, place=3)),
    Broken(_with_device(Careless), _S.test_no_right_to_write, "reports 1 applied operations without the right"),
    Broken(
        _with_device(Hasty), _S.test_creates_with_one_fault, "A lookup would have found out", {"fault": "lost answer"}
    ),
    Broken(_with_device(Blind), _S.test_lost_answer_of_a_create, "Everything was written", _of(DEVICE, retries=2)),
    Broken(_with_device(Blind), _S.test_lookup_agrees_with_load, "has not found", _of(DEVICE)),
    Broken(_with_device(Halfblind), _S.test_lookup_agrees_with_load, "'rack': 1", _of(DEVICE)),
    Broken(
        _with_device(Shuffling, BulkInventory),
        _S.test_one_bad_create_in_a_batch,
        "The sync lists",
        _of(DEVICE, place=1),
    ),
    Broken(
        _with_device(AllOrNothing, BulkInventory),
        _S.test_one_bad_create_in_a_batch,
        "The sync lists",
        _of(DEVICE, place=3),
    ),
    Broken(_with_device(Denying, BulkInventory), _S.test_only_bad_creates_in_a_batch, "The sync lists []", _of(DEVICE)),
    Broken(_with_device(Disordered, BulkInventory), _S.test_lookup_keeps_the_order, "", _of(DEVICE)),
]
