"""Cases about missing rights and wrong credentials, about secrets, and about the life of an adapter."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator

import pytest
import structlog.testing

from diffsync_store.adapter import Adapter
from diffsync_store.enum import StoreState
from diffsync_store.lifecycle import opened
from diffsync_store.store.local import LocalStore
from diffsync_store.testing.bench import Bench
from diffsync_store.testing.cases.base import Cases, require
from diffsync_store.testing.sample import Record, Sample
from diffsync_store.transient import is_transient


class RightsCases(Cases):
    """A missing right gives a clear error, and no secret gets out."""

    def test_wrong_credentials(self, bench: Bench) -> None:
        """A load with a wrong password raises an error that is not transient, and the store is failed."""
        bench.put(bench.some_of_each(1))
        adapter = bench.system.make_adapter_with_wrong_credentials(LocalStore())
        error = _error_of_load(bench, adapter)
        assert not is_transient(error, adapter), (
            f"The error of a wrong password is transient, so it would be retried: {error!r}"
        )

    def test_no_right_to_read(self, bench: Bench) -> None:
        """A load without the right to read raises an error that is not transient; it is not an empty load."""
        bench.put(bench.some_of_each(1))
        adapter = bench.adapter()
        with bench.system.deny("read"):
            error = _error_of_load(bench, adapter)
        assert not is_transient(error, adapter), (
            f"The error of a missing right is transient, so it would be retried: {error!r}"
        )

    def test_no_right_to_write(self, bench: Bench) -> None:
        """Each operation is named with the system's reason, nothing is half done, and the next sync with the right does it all."""
        require(bench, None, "create", "update", "delete")
        sample = next(reversed(bench.samples.values()))
        before = sample.records(3)
        bench.put(before)
        wanted = [sample.record(0), sample.record(1, second=True), sample.record(3)]
        with bench.system.deny("write"):
            result = bench.sync(wanted, batch_size=1)
        assert result.applied == 0, f"The sync reports {result.applied} applied operations without the right."
        assert {reject.state for reject in result.rejects} == {"failed"}
        assert all(reject.reason.strip() for reject in result.rejects)
        bench.require_system(before)
        bench.sync_all(wanted)

    def test_no_right_to_write_a_batch(self, bench: Bench) -> None:
        """A batch without the right to write is refused as a whole, and each record is named."""
        require(bench, None, "create")
        sample = next(reversed(bench.samples.values()))
        bench.put([sample.record(0)])
        with bench.system.deny("write"):
            result = bench.sync(sample.records(6))
        assert result.applied == 0, f"The sync reports {result.applied} applied operations without the right."
        assert len(result.rejects) == 5
        bench.require_system([sample.record(0)])

    def test_secrets_are_nowhere(
        self, bench: Bench, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """No log line, error, printed object or stored record of a load and a sync, good or bad, has a secret in it."""
        if not bench.system.secrets:
            pytest.skip(f"{type(bench.system).__name__} has no `secrets`.")
        caplog.set_level(logging.DEBUG)
        with structlog.testing.capture_logs() as logged:
            texts = list(_texts(bench))
        printed = capfd.readouterr()
        texts += [printed.out, printed.err, caplog.text, repr(logged), *map(repr, caplog.records)]
        for secret in bench.system.secrets:
            found = [text for text in texts if secret in text]
            assert not found, f"A secret appears in: {found[0].replace(secret, '***')[:500]}"


class LifeCases(Cases):
    """An adapter opens and closes cleanly, whatever happens in between."""

    def test_close_after_a_failed_sync(self, bench: Bench) -> None:
        """After a sync that ended with an error, the same adapter loads and syncs again."""
        require(bench, None, "create")
        sample = next(reversed(bench.samples.values()))
        bench.put([sample.record(0)])
        target = bench.load()
        with bench.watching(target) as calls:
            calls.fail(0, KeyboardInterrupt)
            with pytest.raises(KeyboardInterrupt):
                bench.sync(sample.records(2), target)
        bench.load_with(target)
        bench.sync_all(sample.records(2), target)

    def test_close_twice(self, bench: Bench) -> None:
        """An adapter that is closed twice, or closed before it was opened, raises nothing."""
        adapter = bench.adapter()
        close = getattr(adapter, "close", None)
        if not callable(close):
            pytest.skip(f"{type(adapter).__name__} has no `close`.")
        close()
        bench.load_with(adapter)
        close()
        close()

    def test_open_again_after_close(self, bench: Bench) -> None:
        """An adapter that was closed can be opened again, and works as before."""
        bench.put(bench.some_of_each(1))
        adapter = bench.load()
        with opened(adapter):
            pass
        bench.load_with(adapter)
        bench.require_no_difference(bench.some_of_each(1), adapter)

    def test_two_adapters_do_not_share_state(self, bench: Bench) -> None:
        """A second adapter of the same class and system starts empty, and closing it leaves the first one usable."""
        bench.put(bench.some_of_each(1))
        first, second = bench.load(), bench.adapter()
        assert second.store.count() == 0
        with opened(first):
            with opened(second):
                pass
            with first.store.loading():
                first.load()
        bench.require_no_difference(bench.some_of_each(1), first)


def _error_of_load(bench: Bench, adapter: Adapter) -> Exception:
    error = bench.try_load(adapter)
    assert error is not None, "The load raises no error."
    assert str(error).strip(), "The error has no text."
    assert adapter.store.record().state is StoreState.FAILED
    return error


def _texts(bench: Bench) -> Iterator[str]:
    """Load and sync, well and badly, and yield all texts that come out."""
    samples = list(bench.samples.values())
    bench.put([samples[-1].record(0)])
    adapter = bench.load()
    yield from _texts_of(adapter)
    if not bench.cannot(None, "create"):
        records = [record for sample in samples for record in _records_with_a_bad_one(sample)]
        result = bench.sync(records, adapter)
        yield repr(result)
        yield from _texts_of(adapter)
    for make in (bench.system.make_adapter_with_wrong_credentials, bench.system.make_unreachable_adapter):
        try:
            bad = make(LocalStore())
        except pytest.skip.Exception:
            continue
        error = bench.try_load(bad)
        if error is not None:
            yield repr(error)
            yield "".join(traceback.format_exception(error))
        yield from _texts_of(bad)


def _texts_of(adapter: Adapter) -> Iterator[str]:
    yield from (repr(adapter), str(adapter), adapter.str(), repr(adapter.dict()))
    yield repr(adapter.store.record())
    yield repr(getattr(adapter, "settings", ""))


def _records_with_a_bad_one(sample: Sample) -> list[Record]:
    return [*sample.records(2), *([sample.bad_record(2)] if sample.refused else [])]
