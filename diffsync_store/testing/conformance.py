"""AdapterConformance: all cases, to subclass in the tests of an adapter."""

from __future__ import annotations

from diffsync_store.testing.cases.answers import AnswerCases
from diffsync_store.testing.cases.batches import BatchCases
from diffsync_store.testing.cases.changes import ChangeCases
from diffsync_store.testing.cases.faults import FaultCases
from diffsync_store.testing.cases.interrupts import InterruptCases
from diffsync_store.testing.cases.loading import LoadCases
from diffsync_store.testing.cases.meanwhile import MeanwhileCases
from diffsync_store.testing.cases.order import OrderCases
from diffsync_store.testing.cases.rehearsal import RehearsalCases
from diffsync_store.testing.cases.rights import LifeCases, RightsCases
from diffsync_store.testing.cases.safety import SafetyCases
from diffsync_store.testing.cases.stores import StoreCases
from diffsync_store.testing.cases.values import ValueCases


class AdapterConformance(
    StoreCases,
    LifeCases,
    RightsCases,
    SafetyCases,
    InterruptCases,
    FaultCases,
    MeanwhileCases,
    AnswerCases,
    OrderCases,
    ValueCases,
    BatchCases,
    RehearsalCases,
    ChangeCases,
    LoadCases,
):
    """The conformance suite of adapters. Subclass it with samples of the models and a fixture `system`:

        class TestWiki(AdapterConformance):
            samples = (Sample("page", identifiers=lambda n: {"title": f"page {n}"}, first={"text": "a"}, second={"text": "b"}),)

            @pytest.fixture
            def system(self, tmp_path):
                return WikiUnderTest(tmp_path)

    pytest makes an object of the class for each case, and processes of pytest-xdist may share the cases.
    """
