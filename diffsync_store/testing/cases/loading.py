"""Cases about a load."""

from __future__ import annotations

from diffsync_store.enum import StoreState
from diffsync_store.testing.bench import Bench
from diffsync_store.testing.cases.base import Cases
from diffsync_store.testing.sample import Sample


class LoadCases(Cases):
    """A load reads all records of the system, as they are, and says so if it cannot."""

    def test_load_reads_every_record(self, bench: Bench) -> None:
        """All records of every model are in the store, each under its identifiers, and the load is complete."""
        records = bench.some_of_each(3)
        bench.put(records)
        adapter = bench.load()
        for name, sample in bench.samples.items():
            model = getattr(adapter, name)
            wanted = {model.create_unique_id(**record.identifiers) for record in sample.records(3)}
            found = {obj.get_unique_id() for obj in adapter.get_all(name)}
            assert found == wanted, f"{name}: missing {sorted(wanted - found)}, too many {sorted(found - wanted)}"
        assert adapter.store.record().state is StoreState.COMPLETE

    def test_load_reads_every_attribute(self, bench: Bench, sample: Sample) -> None:
        """Each attribute has the value and the type that the model declares."""
        records = [sample.record(0), sample.record(1, second=True)]
        bench.put(records)
        adapter = bench.load()
        model = getattr(adapter, sample.model)
        for record in records:
            wanted = model(**record.fields).get_attrs()
            found = adapter.get(model, record.identifiers).get_attrs()
            assert found == wanted
            assert {name: type(value) for name, value in found.items()} == {
                name: type(value) for name, value in wanted.items()
            }

    def test_load_puts_children_below_their_parents(self, bench: Bench) -> None:
        """The tree of parents and children is the one that the models declare."""
        bench.put(bench.some_of_each(3))
        bench.require_no_difference(bench.some_of_each(3))

    def test_load_of_an_empty_system_is_complete(self, bench: Bench) -> None:
        """A system without records gives an empty store and a complete load, not an error."""
        adapter = bench.load()
        assert adapter.store.count() == 0
        assert adapter.store.record().state is StoreState.COMPLETE

    def test_two_loads_give_the_same_in_the_same_order(self, bench: Bench) -> None:
        """Two adapters, made one after the other, load the same records in the same order."""
        bench.put(bench.some_of_each(3))
        assert list(bench.load().dict().items()) == list(bench.load().dict().items())

    def test_load_writes_nothing(self, bench: Bench) -> None:
        """The system is the same after a load."""
        records = bench.some_of_each(2)
        bench.put(records)
        bench.load()
        bench.require_system(records)

    def test_a_second_load_replaces_the_first(self, bench: Bench, sample: Sample) -> None:
        """An adapter that loads again holds what the system has now, and nothing of the load before."""
        bench.put(sample.records(2))
        adapter = bench.load()
        bench.system.remove(sample.record(1))
        bench.load_with(adapter)
        bench.require_no_difference([sample.record(0)], adapter)

    def test_a_record_that_does_not_fit_is_rejected_by_name(self, bench: Bench, sample: Sample) -> None:
        """One record that does not fit its model is rejected with its key; all others are loaded, and the load is partial."""
        bench.put(sample.records(2))
        name = bench.system.put_invalid(sample.model)
        adapter = bench.load()
        found = {obj.get_unique_id() for obj in adapter.get_all(sample.model)}
        model = getattr(adapter, sample.model)
        assert {model.create_unique_id(**record.identifiers) for record in sample.records(2)} <= found
        record = adapter.store.record()
        assert record.state is StoreState.PARTIAL, "A load that rejected a record is not complete."
        rejects = record.gaps[sample.model].rejects
        assert any(name in reject.what or name in reject.reason for reject in rejects), (
            f"No reject names {name!r}: {[reject.what for reject in rejects]}"
        )

    def test_load_reads_more_records_than_a_page(self, bench: Bench) -> None:
        """Two full pages and a part of a third are read completely, no record twice."""
        sample = next(reversed(bench.samples.values()))
        records = sample.records(2 * (bench.system.page_size or 10) + 1)
        bench.put(records)
        bench.require_no_difference(records)
