"""AdapterConformance: all cases, to subclass in the tests of an adapter."""

from __future__ import annotations

from diffsync_store.testing.cases.changes import ChangeCases
from diffsync_store.testing.cases.loading import LoadCases


class AdapterConformance(LoadCases, ChangeCases):
    """The conformance suite of adapters. Subclass it with samples of the models and a fixture `system`:

        class TestWiki(AdapterConformance):
            samples = (Sample("page", identifiers=lambda n: {"title": f"page {n}"}, first={"text": "a"}, second={"text": "b"}),)

            @pytest.fixture
            def system(self, tmp_path):
                return WikiUnderTest(tmp_path)

    pytest makes an object of the class for each case, and processes of pytest-xdist may share the cases.
    """
