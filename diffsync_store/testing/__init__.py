"""The conformance suite for adapters: a class of test cases to subclass, and what it needs.

pip install 'diffsync-store[testing]'
"""

try:
    import pytest
except ImportError as error:
    raise ImportError(
        "The conformance suite needs the package pytest: pip install 'diffsync-store[testing]'"
    ) from error

pytest.register_assert_rewrite("diffsync_store.testing.bench", "diffsync_store.testing.cases")

from diffsync_store.testing.bench import Bench  # noqa: E402  # asserts are rewritten on import
from diffsync_store.testing.conformance import AdapterConformance  # noqa: E402
from diffsync_store.testing.proxies import (  # noqa: E402
    BehindHttpProxy,
    BehindTcpProxy,
    HttpProxy,
    ProxiedRequest,
    TcpProxy,
)
from diffsync_store.testing.sample import Record, Sample  # noqa: E402
from diffsync_store.testing.system import ABILITIES, Fault, Side, SystemUnderTest  # noqa: E402

__all__ = [
    "ABILITIES",
    "AdapterConformance",
    "BehindHttpProxy",
    "BehindTcpProxy",
    "Bench",
    "Fault",
    "HttpProxy",
    "ProxiedRequest",
    "Record",
    "Sample",
    "Side",
    "SystemUnderTest",
    "TcpProxy",
]
