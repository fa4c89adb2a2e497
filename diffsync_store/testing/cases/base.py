"""Cases: the base of all groups of cases, with their fixtures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import pytest

from diffsync_store.testing.bench import Bench
from diffsync_store.testing.sample import Sample
from diffsync_store.testing.system import SystemUnderTest


class Cases:
    """A group of cases. Each test class is for one system; pytest makes an object of it for each case."""

    samples: ClassVar[Sequence[Sample]] = ()
    """A sample of each model of the adapter; those that others need come first."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a case that takes a `sample` for each model."""
        _require_samples(type(self))
        if "sample" in metafunc.fixturenames:
            metafunc.parametrize("sample", self.samples, ids=[sample.model for sample in self.samples])

    @pytest.fixture
    def system(self) -> SystemUnderTest:
        """The system under test. A test class overrides it."""
        pytest.fail(f"{type(self).__name__} needs a fixture `system` that returns its SystemUnderTest.")

    @pytest.fixture
    def bench(self, system: SystemUnderTest) -> Iterator[Bench]:
        """The bench of the system, which is empty."""
        bench = Bench(system, self.samples)
        bench.clear()
        yield bench
        bench.close_all()


def require(bench: Bench, sample: Sample | None, *abilities: str) -> None:
    """Skip the case if the system, or the model, cannot do what it needs.

    Args:
        bench: the bench of the case.
        sample: the sample of the model; None for what all models have to be able to.
        abilities: names in `ABILITIES`.
    """
    for ability in abilities:
        reason = bench.cannot(sample, ability)
        if reason:
            pytest.skip(reason)


def _require_samples(cases: type[Cases]) -> None:
    if not cases.samples:
        raise pytest.UsageError(f"{cases.__name__} declares no `samples`: list a Sample of each model of the adapter.")
    names: list[str] = []
    for sample in cases.samples:
        missing = sorted(set(sample.needs).difference(names))
        if missing:
            raise pytest.UsageError(
                f"{cases.__name__}.samples: {sample.model!r} needs {', '.join(map(repr, missing))}. List what is needed first."
            )
        names.append(sample.model)
