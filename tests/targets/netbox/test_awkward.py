"""Awkward device types: files → NetBox."""

import pytest

from tests.device_types import declared
from tests.targets.awkward import AwkwardTypes, MakeTarget
from tests.targets.given import loaded
from tests.targets.netbox.conftest import MakeNetBox
from tests.targets.netbox.server import NetBoxServer


class TestNetBox(AwkwardTypes):
    @pytest.fixture
    def make_target(self, netbox: NetBoxServer, make_adapter: MakeNetBox) -> MakeTarget:
        project = declared()
        records = project["adapters"]["netbox"]["records"]
        return lambda: loaded(make_adapter(project["models"], records))
