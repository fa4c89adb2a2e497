"""The suite can fail: adapters that break one rule each, and the case that notices."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from diffsync_store.testing import AdapterConformance, Bench
from tests.conformance.broken import BROKEN, Broken
from tests.conformance.memory import SAMPLES, BulkInventory, Inventory, MemoryUnderTest


class Suite(AdapterConformance):
    samples = SAMPLES


def run(adapter: type[Inventory], broken: Broken, request: pytest.FixtureRequest) -> None:
    bench = Bench(MemoryUnderTest(adapter), SAMPLES)
    fixtures = [name for name in inspect.signature(broken.case).parameters if name in {"caplog", "capfd"}]
    given: dict[str, Any] = {name: request.getfixturevalue(name) for name in fixtures}
    broken.case(Suite(), bench, **broken.arguments, **given)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: f"{broken.adapter.__name__}: {broken.case.__name__}")
def test_a_case_notices_what_is_broken(broken: Broken, request: pytest.FixtureRequest) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)) as caught:
        run(broken.adapter, broken, request)
    assert broken.message in str(caught.value)


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.case.__name__)
def test_the_same_case_passes_for_a_sound_adapter(broken: Broken, request: pytest.FixtureRequest) -> None:
    run(BulkInventory if issubclass(broken.adapter, BulkInventory) else Inventory, broken, request)


def test_a_fault_that_the_system_cannot_have_is_skipped_with_a_reason() -> None:
    class Sealed(MemoryUnderTest):
        cannot = {"create": "It is read-only."}

    bench = Bench(Sealed(), SAMPLES)
    with pytest.raises(pytest.skip.Exception, match=r"Sealed cannot do 'create' .*: It is read-only."):
        Suite().test_create_writes_a_record(bench, SAMPLES[0])


def test_an_ability_that_does_not_exist_is_an_error() -> None:
    class Sealed(MemoryUnderTest):
        cannot = {"creat": "It is read-only."}

    with pytest.raises(ValueError, match=r"names 'creat'. Use one of create, update"):
        Bench(Sealed(), SAMPLES).cannot(SAMPLES[0], "create")
